"""Forced alignment with PocketSphinx (US English; its model and dictionary come in its wheel).

Source: `Decoder.set_align_text` of PocketSphinx 5, which builds a finite-state grammar of the words with optional
silences. Its word ends swallow short pauses (measured: tests/bench/accuracy_alignment.py), so that they are moved
back to where the energy of the word ends.
"""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.manifests.records import Wave
from curation.models import resolve
from curation.stages.aligners.base import Interval
from curation.stages.aligners.pronounce import pronounce

HOP = 160
"""Samples per decoder frame (10 ms)."""
WINDOW = 320
"""Samples of the energy window (20 ms), centred on the frame."""
MIN_WORD_FRAMES = 3
"""Trimming leaves at least this much of a word: the shortest that its three-state phones can take."""
ABOVE_FLOOR_DB = 10.0
BELOW_SPEECH_DB = 45.0
"""A frame is silent when it is less than 10 dB above the noise floor, or 45 dB below the speech level …"""
MIN_CONTRAST_DB = 12.0
"""… but never when it is within 12 dB of the speech level: in noise nothing is trimmed."""
TOKEN = re.compile(r"(?:[$€£](?=\d))?[^\W_]+(?:['.,:][^\W_]+)*|[%$€£&+@=]")


class PocketSphinx:
    """The aligner of the offline preset."""

    name = "pocketsphinx"

    def __init__(self, model: str = "pocketsphinx-en-us") -> None:
        self.model = model
        self._decoder: Any = None

    def load(self) -> None:
        """Load acoustic model and dictionary (0.3 s). Raises ModelError when they are missing."""
        from pocketsphinx import Decoder

        folder = resolve(self.model)
        # silprob 1 instead of 0.005: with a known text, a silence costs nothing; it finds more of the short pauses.
        self._decoder = Decoder(
            hmm=str(folder / "en-us"),
            dict=str(folder / "cmudict-en-us.dict"),
            lm=None,
            loglevel="FATAL",
            silprob=1.0,
        )

    def speaks(self, language: str) -> bool:
        """English only."""
        return language.partition("-")[0].lower() == "en"

    def align(self, wave: Wave, words: Sequence[str], language: str) -> list[Interval | None] | None:
        """See `Aligner.align`. Words outside the dictionary get a pronunciation by rule."""
        if self._decoder is None:
            self.load()
        if not self.speaks(language):
            return None
        tokens = [self._tokens(word) for word in words]
        flat = [token for group in tokens for token in group]
        frames = self._frames(wave, flat) if flat else None
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
        """First and one past the last frame of each token; None where the decoder did not reach the end."""
        decoder = self._decoder
        # The noise estimate lives in the feature extraction and would carry over from the utterance before.
        decoder.reinit_feat()
        decoder.set_align_text(" ".join(tokens))
        decoder.start_utt()
        decoder.process_raw(np.clip(np.round(wave * 32767), -32768, 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        found = [(re.sub(r"\(\d+\)$", "", s.word), s.start_frame, s.end_frame + 1) for s in decoder.seg() or ()]
        spoken = [item for item in found if item[0] not in {"<sil>", "<s>", "</s>", "[NOISE]", "[SPEECH]"}]
        if [word for word, _, _ in spoken] != tokens:
            return None
        return [(start, end) for _, start, end in spoken]


def frame_energy(wave: Wave) -> npt.NDArray[np.float64]:
    """Energy of each 10 ms frame in dB, shape (ceil(samples / 160),), over a centred window of 20 ms."""
    count = -(-len(wave) // HOP)
    half = (WINDOW - HOP) // 2
    padded = np.pad(wave.astype(np.float64), (half, count * HOP + half - len(wave)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    return 10 * np.log10(np.var(frames, axis=1) + 1e-10)


def trim(spans: list[tuple[int, int]], energy: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
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
