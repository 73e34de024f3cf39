"""The interface of ASR systems: a base class, the settings they share, and scores of a text.

To add one: a file in this folder (or a folder with `adapter.py`) with a section and a class, and an entry of the
catalogue for its weights:

    class MineConfig(SystemConfig):
        kind: Literal["mine"] = "mine"

    class Mine(AsrSystem):
        kind = "mine"
        section = MineConfig

        def load(self): ...
        def transcribe(self, waves, languages): ...

The same class in a package of your own has an entry point in the group `curation.asr`.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import Field

from curation.audio.wave import Wave
from curation.core.declarations import Adapter, Package, Score
from curation.core.errors import ModelError
from curation.core.settings import Section, model_field
from curation.manifests.records import Hypothesis
from curation.text.plausibility import repetition


class SystemConfig(Section):
    """Settings that every ASR system has."""

    kind: str = Field(description="which adapter it is for")
    name: str = Field(description="name of the system in hypotheses, scores and reports; unique", min_length=1)
    model: str = model_field(
        ..., "model reference: a name of the catalogue, hf:REPO@REVISION, path:FOLDER, ...; empty: it has none"
    )
    threads: int = Field(1, description="CPU threads of the model; one worker process runs per core", ge=1)
    batch_size: int = Field(
        1,
        description="utterances per call of the system, sorted by length; on one CPU core 1 is fastest (Whisper "
        "base, int8: 1.4 times as fast as 8, whose activations leave the cache), a GPU needs 16 or more",
        ge=1,
    )
    batch_seconds: float | None = Field(
        None,
        description="padded seconds of audio per call of the system, at most (utterances times the longest of "
        "them), which bounds GPU memory; null: the preference of its adapter, which for those of this repository is "
        "`batch_size` alone",
        gt=0,
    )


TEXT_SCORES = (
    Score("compression_ratio", "1", "zlib compression ratio of the text; above 2.4 it is repetitive", "hypothesis"),
    Score("repeated_trigram_share", "1", "share of word 3-grams that occurred before", "hypothesis"),
)
"""The scores of `text_scores`."""


class AsrSystem(Adapter, ABC):
    """One speech recogniser. The text of a wave does not depend on what else is in the batch."""

    section: ClassVar[type[SystemConfig]]
    scores: ClassVar[tuple[Score, ...]] = TEXT_SCORES
    languages: frozenset[str] | None = None
    """ISO 639-1 codes that the system supports; None: all. Known before `load` as far as the settings tell, because the
    other systems depend on it: where only one speaks a language, it hears the utterances at other speeds too."""
    max_seconds: float = math.inf
    """Longest wave that it takes."""

    def __init__(self, config: SystemConfig) -> None:
        self.config = config

    @abstractmethod
    def load(self) -> None:
        """Load the model. Called once in each worker process. Raises ModelError where files are missing."""

    @abstractmethod
    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """One hypothesis per wave, in order; each wave (samples,) float32 at 16 kHz, with its language code.

        Texts keep the casing and punctuation of the system. Word times, where there are any, are samples
        from the start of the wave. Raises ValueError for a wave that the system cannot process.
        """


@runtime_checkable
class LanguageIdentifier(Protocol):
    """A system that can identify the language."""

    def identify_language(self, waves: Sequence[Wave]) -> list[dict[str, float]]:
        """For each wave the probability of each language code; they add up to 1."""


def text_scores(text: str) -> dict[str, float]:
    """Indicators of a hallucinated text, for `Hypothesis.scores`: `TEXT_SCORES`."""
    return repetition(text)


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
def needs_package(system: str, package: Package) -> Iterator[None]:
    """Turns a failed import of an optional package into a ModelError that names the command."""
    try:
        yield
    except ImportError as error:
        msg = f"{system} needs {package.module} ({error}): {package.command}"
        raise ModelError(msg) from error
