"""What lies between the words of an utterance: the words as they are spoken, and the pauses that hold no speech."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from curation.audio.levels import HOP, Levels, frame_energy
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.punctuate.base import Interval
from curation.text.punctuation import Pieces

SPOKEN_SYMBOLS = "%$€£&+@=°"
CURRENCY = "$€£"
SCALES = frozenset({"hundred", "thousand", "million", "billion", "trillion"})
"""A currency is read after these: $2.5 million is two point five million dollars."""
SPEECH_DB = 20.0
"""A frame is speech when it is less than this below the speech level (the level that a tenth of the frames exceed) …"""
FLOOR = 0.05
"""… and nearer to it than to the noise floor, the level that a twentieth of the frames does not reach."""


def spoken_words(pieces: Pieces) -> list[str]:
    """The words with the symbols around them that are read aloud, one for each word of the text: 47%, $5, million$."""
    spoken = list(pieces.words)
    for index, gap in enumerate(pieces.gaps):
        for at, symbol in enumerate(gap):
            if symbol not in SPOKEN_SYMBOLS or not spoken:
                continue
            before_number = index < len(spoken) and at == len(gap) - 1 and pieces.words[index][0].isdecimal()
            if symbol in CURRENCY and before_number:
                scaled = index + 1 < len(spoken) and pieces.words[index + 1].lower() in SCALES
                if scaled:
                    spoken[index + 1] += symbol
                else:
                    spoken[index] = symbol + spoken[index]
            else:
                spoken[max(index - 1, 0)] += symbol if index else ""
    return spoken


def pauses_ms(
    placed: Sequence[Interval | None], wave: Wave | None = None, max_speech_ms: float = 0
) -> list[float | None]:
    """The pause after each word but the last, in ms; None beside a word without a place.

    With the `wave` in which the words lie, shape (samples,): 0 where the gap holds more than `max_speech_ms` of speech,
    which the aligner or the ASR systems have skipped.
    """
    levels = None if wave is None else frame_energy(wave)
    loud = None if levels is None else levels > speech_above(levels)
    pauses: list[float | None] = []
    for left, right in pairwise(placed):
        if left is None or right is None:
            pauses.append(None)
            continue
        pause = max(0, right.start - left.end) * 1000 / SAMPLE_RATE
        # The window of the first and of the last frame reaches into the words.
        speech = 0 if loud is None else int(loud[left.end // HOP + 1 : right.start // HOP - 1].sum())
        pauses.append(0.0 if speech * HOP * 1000 / SAMPLE_RATE > max_speech_ms else pause)
    return pauses


def speech_above(levels: Levels) -> float:
    """The level above which a frame counts as speech, in dB; `levels` of shape (frames,)."""
    floor, speech = np.quantile(levels, [FLOOR, 0.9])
    return float(max(speech - SPEECH_DB, (floor + speech) / 2))
