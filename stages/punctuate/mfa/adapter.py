"""Montreal Forced Aligner 3 (McAuliffe et al., Interspeech 2017): the aligner of the paper.

Three ways to run it, `punctuate.mfa.run`: `direct` reads its models without MFA itself (direct/), `memory` keeps MFA
loaded in the worker (in_process.py), `command` starts `mfa align` for each batch (command.py). Requirements and what
was tested: docs/how-to/mfa.md.
"""

from collections.abc import Sequence

from curation.audio.wave import Wave
from curation.core.declarations import Missing, Resources, Weights
from curation.stages.punctuate.base import Aligner, Placed, Spoken
from curation.stages.punctuate.mfa.command import CommandAligner
from curation.stages.punctuate.mfa.direct.aligner import DirectAligner, unreadable
from curation.stages.punctuate.mfa.in_process import MemoryAligner
from curation.stages.punctuate.mfa.models import INSTALL, MfaConfig, missing

Engine = DirectAligner | MemoryAligner | CommandAligner
ENGINES: dict[str, type[Engine]] = {"direct": DirectAligner, "memory": MemoryAligner, "command": CommandAligner}


OTHER = "get other models, or set punctuate.mfa.run to memory or command"


class MontrealForcedAligner(Aligner):
    """The adapter. It has no default model."""

    kind = "mfa"
    section = MfaConfig
    resources = Resources(memory_gib=0.6)
    weights = tuple(
        Weights(reference, f"MFA's models of US English in ARPAbet: {what}", "CC-BY-4.0")
        for reference, what in (
            ("path:~/Documents/MFA/pretrained_models/acoustic/english_us_arpa.zip", "acoustic model"),
            ("path:~/Documents/MFA/pretrained_models/dictionary/english_us_arpa.dict", "dictionary"),
            ("path:~/Documents/MFA/pretrained_models/g2p/english_us_arpa.zip", "G2P"),
            ("hf:MontrealCorpusTools/english_us_arpa", "acoustic model, dictionary and G2P"),
        )
    )

    def __init__(self, config: MfaConfig) -> None:
        self.config = config
        self._engine: Engine | None = None

    @classmethod
    def missing(cls, section: MfaConfig) -> Missing | None:
        """For `direct`, models that can be read so; else MFA itself, which comes with conda only."""
        if section.run == "direct":
            problem = unreadable(section)
            return Missing("models of Montreal Forced Aligner", problem, OTHER) if problem else None
        problem = missing(section)
        return (
            Missing("Montreal Forced Aligner", problem, f"{INSTALL}, in the environment of curation")
            if problem
            else None
        )

    def load(self) -> None:
        """Load the models. Raises ModelError where MFA or one of them is missing, with the remedy."""
        self._engine = self._loaded()

    def speaks(self, language: str) -> bool:
        """The one language of its models."""
        return language.partition("-")[0].lower() == self.config.language

    def align(self, wave: Wave, words: Sequence[str], language: str) -> Placed:
        """See `Aligner.align`."""
        return self.align_all([Spoken(wave, words, language)])[0]

    def align_all(self, utterances: Sequence[Spoken]) -> list[Placed]:
        """See `Aligner.align_all`."""
        engine = self._engine = self._engine or self._loaded()
        known = [spoken for spoken in utterances if self.speaks(spoken.language)]
        found = iter(engine.align_all(known))
        return [next(found) if self.speaks(spoken.language) else None for spoken in utterances]

    def _loaded(self) -> Engine:
        engine = ENGINES[self.config.run](self.config)
        engine.load()
        return engine
