"""The interface of forced aligners: they locate each word of a known text in time.

To add one: a file in this folder (or a folder with `adapter.py`) with a class that sets `kind` (and `section` where it
has settings), and an entry of the catalogue for its weights. A package of your own has an entry point in the group
`curation.aligners`.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from curation.audio.wave import Wave
from curation.core.declarations import Adapter


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a word is: samples at 16 kHz, counted from the start of the wave that was aligned; `start` < `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """An utterance to align: `wave` of shape (samples,), its `words` in order, and its language (ISO 639-1)."""

    wave: Wave
    words: Sequence[str]
    language: str
    speaker: Hashable = None
    """Equal for utterances of one speaker in one recording, which may share statistics; None: nobody else's."""


def by_speaker(utterances: Sequence[Spoken]) -> list[list[int]]:
    """The indices of the utterances of each speaker, in order of the first of each."""
    members: dict[Hashable, list[int]] = {}
    for index, spoken in enumerate(utterances):
        members.setdefault(index if spoken.speaker is None else (spoken.speaker,), []).append(index)
    return list(members.values())


Placed = list[Interval | None] | None
"""One place per word, None for a word that cannot be spoken; None where the text does not fit the audio."""


class Aligner(Adapter, ABC):
    """One forced aligner. The result must depend only on the arguments, not on earlier calls."""

    def load(self) -> None:
        """Load the models. Called once in each worker process, before the first `align`. Raises ModelError."""

    @abstractmethod
    def speaks(self, language: str) -> bool:
        """Whether this aligner has a model for the language (ISO 639-1)."""

    @abstractmethod
    def align(self, wave: Wave, words: Sequence[str], language: str) -> Placed:
        """Place `words` (case and punctuation do not matter) in `wave`, shape (samples,).

        One result per word, in order and without overlap; None for a word that cannot be spoken (a lone symbol).
        None instead of the list where the text does not fit the audio.
        """

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """The same for many at once; a result may depend on other utterances of the same speaker and on no others."""
        return [self.align(spoken.wave, spoken.words, spoken.language) for spoken in utterances]
