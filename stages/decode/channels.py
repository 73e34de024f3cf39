"""Recordings with one speaker on each channel: a call, or two microphones that hear little of one another.

Averaging them loses what both say at once; read by itself, each channel is a recording.
"""

import numpy as np
import numpy.typing as npt

Channels = npt.NDArray[np.float32]
"""(channels, samples), full scale 1."""
FRAME_SECONDS = 0.02
MAX_SECONDS = 600.0
"""What is looked at, from the beginning."""
LOUD_DB, APART_DB = -15.0, 15.0
"""A frame counts where one channel is this loud, relative to the loud frames of that channel; it holds one speaker only
where the other channel is lower by `APART_DB`, likewise relative to its own."""
MIN_APART, MIN_EACH = 0.7, 0.1
"""Of the frames that count, those with one speaker only, and those of each channel."""
STEREO = 2
MIN_FRAMES = 250
"""Five seconds of speech."""


class Separation:
    """Follows the levels of two channels, and tells whether each holds a speaker of its own."""

    def __init__(self) -> None:
        self._levels: list[npt.NDArray[np.float64]] = []
        self._frames = 0

    def feed(self, block: Channels, rate: int) -> None:
        """Add (channels, samples) at `rate` Hz; only those of two channels say anything."""
        length = round(FRAME_SECONDS * rate)
        count = block.shape[1] // length if length else 0
        if len(block) != STEREO or not count or self.is_full:
            return
        frames = block[:, : count * length].reshape(2, count, length)
        energy = np.einsum("cft,cft->cf", frames, frames) / length
        self._levels.append(10 * np.log10(np.maximum(np.nan_to_num(energy), 1e-12)))
        self._frames += count

    @property
    def is_full(self) -> bool:
        """Whether further blocks say nothing."""
        return self._frames * FRAME_SECONDS >= MAX_SECONDS

    @property
    def is_clear(self) -> bool:
        """Whether each channel is a recording of its own."""
        if not self._levels:
            return False
        levels = np.concatenate(self._levels, axis=1)
        levels -= np.percentile(levels, 95, axis=1, keepdims=True)
        apart = (levels[0] - levels[1])[levels.max(axis=0) > LOUD_DB]
        if len(apart) < MIN_FRAMES:
            return False
        shares = np.mean(apart > APART_DB), np.mean(apart < -APART_DB)
        return bool(sum(shares) >= MIN_APART and min(shares) >= MIN_EACH)
