"""The formats of corpora that are inputs, by the prefix that names them: `curation build kaldi:data/train`."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from curation.manifests.inputs.corpora import emilia, huggingface, kaldi, lhotse, librispeech, manifests
from curation.manifests.inputs.corpora.row import Row


class Corpus(NamedTuple):
    """A format."""

    rows: Callable[[Any, str], Iterator[Row]]
    """Gives what a file or folder says, as it is read. Raises ConfigError, which names file, row and remedy."""
    expects: str
    """What stands behind the prefix."""


CORPORA: Mapping[str, Corpus] = {
    "librispeech": Corpus(librispeech.rows, librispeech.EXPECTS),
    "kaldi": Corpus(kaldi.rows, kaldi.EXPECTS),
    "lhotse": Corpus(lhotse.rows, lhotse.EXPECTS),
    "nemo": Corpus(manifests.nemo_rows, manifests.NEMO),
    "commonvoice": Corpus(manifests.common_voice_rows, manifests.COMMON_VOICE),
    "hf": Corpus(huggingface.rows, huggingface.EXPECTS),
    "emilia": Corpus(emilia.rows, emilia.EXPECTS),
}
