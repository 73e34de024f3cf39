"""Finds the client of an engine that runs elsewhere; each kind needs a package of its own."""

from curation.core.errors import ConfigError
from curation.core.stores.urls import without_credentials
from curation.tokenize.vocabulary import Vocabulary
from curation.train.infer.backends.base import Backend


def connect(url: str, vocabulary: Vocabulary, slots: int, length: int) -> Backend:
    """The server at `url`, which has the checkpoint of this vocabulary. Raises ConfigError, ServiceError."""
    try:
        from curation.train.infer.backends.vllm import Vllm
    except ModuleNotFoundError as error:
        msg = f"--engine {without_credentials(url)}: needs the package {error.name}: pip install 'curation[vllm]'"
        raise ConfigError(msg) from error
    return Vllm(url, vocabulary, slots, length)
