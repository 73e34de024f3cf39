"""Montreal Forced Aligner 3 (McAuliffe et al., Interspeech 2017): the aligner of the paper.

Two ways to run it, `punctuate.mfa.run`: `memory` keeps the models loaded in the worker (mfa_memory.py), `command`
starts `mfa align` for each batch (mfa_command.py). What it needs and what was tested: docs/how-to/mfa.md.
"""

from collections.abc import Sequence

from curation.audio.wave import Wave
from curation.core.errors import ModelError
from curation.stages.punctuate.base import Placed, Spoken
from curation.stages.punctuate.mfa.command import CommandAligner
from curation.stages.punctuate.mfa.in_process import MemoryAligner
from curation.stages.punctuate.mfa.models import MfaConfig


class MontrealForcedAligner:
    """The adapter. Without a configuration it cannot be loaded: there is no default model."""

    name = "mfa"

    def __init__(self, config: MfaConfig | None = None) -> None:
        self.config = config
        self._engine: MemoryAligner | CommandAligner | None = None

    def load(self) -> None:
        """Load the models. Raises ModelError where MFA or one of them is missing, with the remedy."""
        self._engine = self._loaded()

    def speaks(self, language: str) -> bool:
        """The one language of its models."""
        return self.config is not None and language.partition("-")[0].lower() == self.config.language

    def align(self, wave: Wave, words: Sequence[str], language: str) -> Placed:
        """See `Aligner.align`."""
        return self.align_all([Spoken(wave, words, language)])[0]

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """See `Aligner.align_all`."""
        engine = self._engine = self._engine or self._loaded()
        known = [spoken for spoken in utterances if self.speaks(spoken.language)]
        found = iter(engine.align_all(known))
        return [next(found) if self.speaks(spoken.language) else None for spoken in utterances]

    def _loaded(self) -> MemoryAligner | CommandAligner:
        if self.config is None:
            msg = "punctuate.aligner is mfa: set punctuate.mfa.acoustic_model and punctuate.mfa.dictionary"
            raise ModelError(msg)
        engine = MemoryAligner(self.config) if self.config.run == "memory" else CommandAligner(self.config)
        engine.load()
        return engine
