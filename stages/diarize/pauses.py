"""The level of a waveform over time: where the pauses are.

A frame of 10 ms is quiet when its level is near the noise floor around it: below the floor plus 30 % of the
distance from there to the loudest frames, both taken over the second it lies in and 5 s on each side.
"""

import numpy as np
import numpy.typing as npt

from curation.audio.cuts import cut_probability, speech_level
from curation.audio.wave import SAMPLE_RATE, Wave

FRAME = SAMPLE_RATE // 100
SMOOTH_FRAMES = 3
BLOCK_FRAMES, AROUND_FRAMES = 100, 500
PERCENTILES = (5, 95)
"""Of the levels around a frame: the noise floor and the voice."""
QUIET_FRACTION = 0.3
MIN_RANGE_DB = 10
"""With a smaller distance between noise floor and voice (steady noise) nothing counts as quiet."""
MIN_PAUSE_FRAMES = 6
"""60 ms: the closure of a stop consonant is rarely longer."""
FADE = 10 * FRAME
"""Silence included at the edges of an utterance, at most: 0.1 s."""


class Pauses:
    """Where `wave` is quiet, by its smoothed level in dB per 10 ms. All arguments and results are samples of `wave`."""

    def __init__(self, wave: Wave) -> None:
        from scipy.ndimage import uniform_filter1d  # a third of a second that no process needs before it diarizes

        self.wave, self.length = wave, len(wave)
        frames = -(-len(wave) // FRAME)
        power = np.square(np.pad(wave, (0, frames * FRAME - len(wave))).reshape(frames, FRAME)).mean(axis=1)
        self.db = 10 * np.log10(uniform_filter1d(power.astype(np.float64), SMOOTH_FRAMES) + 1e-10)
        self.quiet = self.db <= quiet_level(self.db)

    def quietest(self, start: int, end: int) -> int:
        """The start of the quietest 10 ms in start..end, or `start` where there is no whole frame."""
        first, last = self._frames(start, end)
        return start if last <= first else (first + int(np.argmin(self.db[first:last]))) * FRAME

    def between(self, start: int, end: int) -> list[tuple[int, int]]:
        """Quiet stretches of at least 60 ms within start..end."""
        first, last = self._frames(start, end)
        runs = stretches(self.quiet[first:last])
        return [((first + a) * FRAME, (first + b) * FRAME) for a, b in runs if b - a >= MIN_PAUSE_FRAMES]

    def first_pause(self, start: int, end: int) -> int:
        """Up to 0.1 s before speech resumes after the first pause in start..end; the quietest moment if there is
        no pause.
        """
        pauses = self.between(start, end)
        return max(pauses[0][0], pauses[0][1] - FADE) if pauses else self.quietest(start, end)

    def last_pause(self, start: int, end: int) -> int:
        """Up to 0.1 s after speech stops for the last pause in start..end; the quietest moment if there is no
        pause.
        """
        pauses = self.between(start, end)
        return min(pauses[-1][1], pauses[-1][0] + FADE) if pauses else self.quietest(start, end)

    def longest_pause(self, start: int, end: int) -> tuple[int, int]:
        """The longest pause within start..end, the one nearest to the middle if there are several; the quietest
        moment, as an empty stretch, if there is none.
        """
        pauses = self.between(start, end)
        if not pauses:
            moment = self.quietest(start, end)
            return moment, moment
        return max(pauses, key=lambda pause: (pause[1] - pause[0], -abs(sum(pause) - start - end)))

    def fade(self, edge: int, limit: int) -> int:
        """The edge moved towards `limit`: up to 0.1 s into the first pause; where there is none, into the middle of
        the longest quiet stretch, or to the quietest moment.
        """
        step = FRAME if limit >= edge else -FRAME
        first, last = self._frames(min(edge, limit), max(edge, limit))
        order = slice(first, last) if step > 0 else slice(last - 1, first - 1 if first else None, -1)
        if last <= first:
            return edge
        runs = stretches(self.quiet[order])
        if not runs:
            return edge + step * int(np.argmin(self.db[order]))
        pauses = [(a, b) for a, b in runs if b - a >= MIN_PAUSE_FRAMES]
        if pauses:
            begin, end = pauses[0]
            return edge + step * min(end, begin + FADE // FRAME)
        begin, end = max(runs, key=lambda run: run[1] - run[0])
        return edge + step * ((begin + end + 1) // 2)

    def cut(self, at: int, side: int, level: float) -> float:
        """The probability that a word is cut at a place where speech of a level (dB) begins (`side` 0) or ends (1)."""
        return cut_probability(self.wave, at, side, level)

    def level(self, start: int, end: int) -> float:
        """The level (dB) of the speech in start..end."""
        return speech_level(self.wave[start:end])

    def _frames(self, start: int, end: int) -> tuple[int, int]:
        """Frames entirely within start..end."""
        return -(-start // FRAME), end // FRAME


def quiet_level(db: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The level below which a frame is quiet, for each frame (dB)."""
    limits = np.empty_like(db)
    for first in range(0, len(db), BLOCK_FRAMES):
        around = db[max(0, first - AROUND_FRAMES) : first + BLOCK_FRAMES + AROUND_FRAMES]
        floor, voice = np.percentile(around, PERCENTILES)
        quiet = floor + QUIET_FRACTION * (voice - floor) if voice - floor >= MIN_RANGE_DB else -np.inf
        limits[first : first + BLOCK_FRAMES] = quiet
    return limits


def stretches(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
