"""PocketSphinx (Huggins-Daines et al. 2006): a hidden Markov recogniser, architecturally different from the
neural systems.

Its errors correlate little with those of neural systems, but are many: as a fourth system it
raises the average pairwise WER of good utterances above the paper's threshold, so no preset uses it by default.
It writes lower case without punctuation.
"""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from pydantic import Field

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.core.settings import model_field
from curation.manifests.records import Hypothesis, Word
from curation.models.store import resolve
from curation.stages.base import DECIMALS
from curation.stages.transcribe.base import AsrSystem, SystemConfig, text_scores

FRAMES_PER_SECOND = 100
PRONUNCIATION = re.compile(r"\(\d+\)$")
"""`read(2)`: the second pronunciation of a word."""


class PocketSphinxConfig(SystemConfig):
    """PocketSphinx with a US English acoustic and trigram language model."""

    kind: Literal["pocketsphinx"] = "pocketsphinx"
    name: str = Field("pocketsphinx", description="name of the system in hypotheses; unique", min_length=1)
    model: str = model_field("pocketsphinx-en-us", "folder with en-us/, en-us.lm.bin and the dictionary")


class PocketSphinx(AsrSystem):
    """Adapter for PocketSphinx; one utterance at a time, one thread."""

    kind = "pocketsphinx"
    section = PocketSphinxConfig
    resources = Resources(memory_gib=0.1)

    def __init__(self, config: PocketSphinxConfig) -> None:
        self.config: PocketSphinxConfig = config
        self.languages = frozenset({"en"})
        self._decoder: Any = None

    def load(self) -> None:
        """Load the models; raises ModelError where they are missing."""
        from pocketsphinx import Decoder

        folder = resolve(self.config.model)
        self._decoder = Decoder(
            hmm=str(folder / "en-us"),
            lm=str(folder / "en-us.lm.bin"),
            dict=str(folder / "cmudict-en-us.dict"),
            loglevel="FATAL",
        )

    def transcribe(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[Hypothesis]:
        """Hypotheses with word times and word posteriors. Raises ValueError for a language other than English."""
        if set(languages) - {"en"}:
            msg = f"{self.config.name} speaks English only, not {sorted(set(languages))}"
            raise ValueError(msg)
        return [self._transcribe(wave) for wave in waves]

    def _transcribe(self, wave: Wave) -> Hypothesis:
        # Without this the cepstral mean of earlier utterances carries over and the text depends on their order.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        pcm = np.rint(np.clip(wave, -1, 1) * 32767).astype("<i2")
        self._decoder.process_raw(pcm.tobytes(), full_utt=True)
        self._decoder.end_utt()
        words = [self._word(piece) for piece in self._decoder.seg() or [] if piece.word[0] not in "<["]
        text = " ".join(word.text for word in words)
        # No confidence: the posteriors of the lattice are near 1 for wrong words too.
        return Hypothesis(system=self.config.name, text=text, language="en", words=words, scores=text_scores(text))

    def _word(self, piece: Any) -> Word:
        start, end = (frame * SAMPLE_RATE // FRAMES_PER_SECOND for frame in (piece.start_frame, piece.end_frame + 1))
        posterior = round(float(self._decoder.logmath.exp(piece.prob)), DECIMALS)
        return Word(PRONUNCIATION.sub("", piece.word), start, end, min(1.0, posterior))
