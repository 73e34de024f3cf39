"""What an ASR system is to the pipeline: a small Protocol, the settings they share, and scores of a text.

An adapter is one file with a configuration section and a class; `curation.stages.transcribe.registry` lists them by
`kind`.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from pydantic import Field

from curation.audio.wave import Wave
from curation.core.errors import ModelError
from curation.core.settings import Section
from curation.manifests.records import Hypothesis
from curation.stages.base import DECIMALS


class SystemConfig(Section):
    """Settings that every ASR system has."""

    name: str = Field(description="name of the system in hypotheses, scores and reports; unique", min_length=1)
    model: str = Field(description="model reference: a name of the catalogue, hf:REPO@REVISION, path:FOLDER, ...")
    threads: int = Field(1, description="CPU threads of the model; one worker process runs per core", ge=1)
    batch_size: int = Field(
        1,
        description="utterances handed to the system at once, sorted by length; on one CPU core 1 is fastest (Whisper "
        "base, int8: 1.4 times as fast as 8, whose activations leave the cache), a GPU wants 16 or more",
        ge=1,
    )
    batch_seconds: float | None = Field(
        None,
        description="padded seconds of audio handed to the system at once, at most (utterances times the longest of "
        "them): what bounds the memory of a GPU; null: `batch_size` alone counts",
        gt=0,
    )


class AsrSystem(Protocol):
    """One speech recogniser. The text of a wave does not depend on what else is in the batch."""

    config: SystemConfig
    languages: frozenset[str] | None
    """ISO 639-1 codes that the system speaks; None: all. Valid after `load`."""

    def load(self) -> None:
        """Load the model. Called once in each worker process. Raises ModelError where files are missing."""

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """One hypothesis per wave, in order; each wave (samples,) float32 at 16 kHz, with its language code.

        Texts keep the casing and punctuation that the system gives. Word times, where there are any, are samples
        from the start of the wave. Raises ValueError for a wave that the system cannot take.
        """


@runtime_checkable
class LanguageIdentifier(Protocol):
    """A system that can tell which language is spoken."""

    def identify_language(self, waves: Sequence[Wave]) -> list[dict[str, float]]:
        """For each wave the probability of each language code; they add up to 1."""


def text_scores(text: str) -> dict[str, float]:
    """Signs of a hallucinated text: how far zlib compresses it, and the share of repeated word 3-grams.

    Whisper's own decoder takes a `compression_ratio` above 2.4 as a repetition loop.
    """
    data = text.encode("utf-8")
    ratio = len(data) / len(zlib.compress(data)) if data else 0.0
    words = text.split()
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    repeated = 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0
    return {"compression_ratio": round(ratio, DECIMALS), "repeated_trigram_share": round(repeated, DECIMALS)}


def by_language(
    waves: Sequence[Wave], languages: Sequence[str], transcribe: Callable[[Sequence[Wave], str], list[Hypothesis]]
) -> list[Hypothesis]:
    """Hypotheses in the order of the waves, from a model that takes one language per call."""
    found: dict[int, Hypothesis] = {}
    for language in dict.fromkeys(languages):
        places = [place for place, code in enumerate(languages) if code == language]
        found.update(zip(places, transcribe([waves[place] for place in places], language), strict=True))
    return [found[place] for place in range(len(waves))]


@contextmanager
def needs_package(system: str, package: str, extra: str) -> Iterator[None]:
    """Turns a failed import of an optional package into a ModelError that names the command."""
    try:
        yield
    except ImportError as error:
        msg = f"{system} needs {package} ({error}): pip install 'curation[{extra}]'"
        raise ModelError(msg) from error
