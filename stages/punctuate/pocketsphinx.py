"""Forced alignment with PocketSphinx (US English; its model and dictionary come in its wheel).

Source: `Decoder.set_align_text` of PocketSphinx 5, which builds a finite-state grammar of the words with optional
silences. Its word ends swallow short pauses (measured: tests/bench/accuracy/alignment.py), so that they are moved
back to where the energy of the word ends.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from curation.audio.levels import HOP, Levels, frame_energy
from curation.audio.wave import Wave
from curation.core.declarations import Resources
from curation.models.store import resolve
from curation.stages.punctuate.base import Aligner, Interval, Placed
from curation.stages.punctuate.pronunciation import pronounce

MIN_WORD_FRAMES = 3
"""Trimming leaves at least this much of a word: the minimum for its three-state phones."""
ABOVE_FLOOR_DB = 10.0
BELOW_SPEECH_DB = 45.0
"""A frame is silent when it is less than 10 dB above the noise floor, or 45 dB below the speech level …"""
MIN_CONTRAST_DB = 12.0
"""… but never when it is within 12 dB of the speech level: in noise nothing is trimmed."""
ATTEMPTS = ({"silprob": 1.0, "wip": 0.65}, {"silprob": 0.005, "wip": 1e4})
"""Decoder settings, the second where the first fails. With a known text silences need no penalty (PocketSphinx has
0.005): more of the short pauses are found. But the search ends in the best state, final or not, and a path that matches
the last words to silence can win; the second attempt rewards words."""
FILLERS = {"<sil>", "<s>", "</s>", "[NOISE]", "[SPEECH]"}
TOKEN = re.compile(r"(?:[$€£](?=\d))?[^\W_]+(?:['.,:][^\W_]+)*|[%$€£&+@=°]")


class PocketSphinx(Aligner):
    """The aligner of the offline preset."""

    kind = "pocketsphinx"
    models = ("pocketsphinx-en-us",)
    resources = Resources(memory_gib=0.05)

    def __init__(self, model: str = "pocketsphinx-en-us") -> None:
        self.model = model
        self._decoder: Any = None

    def load(self) -> None:
        """Load acoustic model and dictionary (0.3 s). Raises ModelError when they are missing."""
        from pocketsphinx import Decoder

        folder = resolve(self.model)
        self._decoder = Decoder(
            hmm=str(folder / "en-us"),
            dict=str(folder / "cmudict-en-us.dict"),
            lm=None,
            loglevel="FATAL",
        )

    def speaks(self, language: str) -> bool:
        """English only."""
        return language.partition("-")[0].lower() == "en"

    def align(self, wave: Wave, words: Sequence[str], language: str) -> Placed:
        """See `Aligner.align`. Words outside the dictionary get a pronunciation by rule."""
        if self._decoder is None:
            self.load()
        if not self.speaks(language):
            return None
        tokens = [self._tokens(word) for word in words]
        flat = [token for group in tokens for token in group]
        if not flat or len(wave) < len(flat) * MIN_WORD_FRAMES * HOP:
            return None
        frames = self._frames(wave, flat)
        if frames is None:
            return None
        frames = trim(frames, frame_energy(wave))
        placed: list[Interval | None] = []
        at = 0
        for group in tokens:
            span = frames[at : at + len(group)]
            at += len(group)
            placed.append(Interval(span[0][0] * HOP, min(span[-1][1] * HOP, len(wave))) if span else None)
        return placed

    def _tokens(self, word: str) -> list[str]:
        """Dictionary entries for one word (two for cold-hearted); entries that are missing are added."""
        plain = word.replace("\u2019", "'")
        names = []
        for token in TOKEN.findall(plain):
            name = token.lower()
            if self._lookup(name) is None and not self._add(name, pronounce(token, self._lookup)):
                continue
            names.append(name)
        return names

    def _lookup(self, word: str) -> str | None:
        phones: str | None = self._decoder.lookup_word(word)
        return phones

    def _add(self, name: str, pronunciations: list[str]) -> bool:
        for number, phones in enumerate(pronunciations, start=1):
            self._decoder.add_word(name if number == 1 else f"{name}({number})", phones, update=False)
        return bool(pronunciations)

    def _frames(self, wave: Wave, tokens: list[str]) -> list[tuple[int, int]] | None:
        """First and one past the last frame of each token; None where no attempt reached the last word."""
        pcm = np.clip(np.round(wave * 32767), -32768, 32767).astype("<i2").tobytes()
        for settings in ATTEMPTS:
            found = self._decode(pcm, " ".join(tokens), settings)
            if [word for word, _, _ in found] == tokens:
                return [(start, end) for _, start, end in found]
        return None

    def _decode(self, pcm: bytes, text: str, settings: dict[str, float]) -> list[tuple[str, int, int]]:
        decoder = self._decoder
        for name, value in settings.items():
            decoder.config[name] = value
        # The noise estimate of the feature extraction would carry over from the utterance before.
        decoder.reinit_feat()
        decoder.set_align_text(text)
        decoder.start_utt()
        try:
            decoder.process_raw(pcm, full_utt=True)
        finally:
            decoder.end_utt()
        found = [(re.sub(r"\(\d+\)$", "", s.word), s.start_frame, s.end_frame + 1) for s in decoder.seg() or ()]
        return [item for item in found if item[0] not in FILLERS]


def trim(spans: list[tuple[int, int]], energy: Levels) -> list[tuple[int, int]]:
    """Move word ends back, and word starts on, over silent frames; times only ever shrink."""
    floor, speech = np.quantile(energy, [0.05, 0.9])
    silent_below = min(max(floor + ABOVE_FLOOR_DB, speech - BELOW_SPEECH_DB), speech - MIN_CONTRAST_DB)
    silent = energy < silent_below
    trimmed = []
    for first, last in spans:
        start, end = first, min(last, len(silent))
        while end - start > MIN_WORD_FRAMES and silent[end - 1]:
            end -= 1
        while end - start > MIN_WORD_FRAMES and silent[start]:
            start += 1
        trimmed.append((start, end))
    return trimmed
