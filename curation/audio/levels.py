"""The energy envelope of a wave, as several stages use it: one value in dB for each 10 ms."""

import numpy as np
import numpy.typing as npt

from curation.manifests.records import Wave

HOP = 160
"""Samples between frames (10 ms)."""
WINDOW = 320
"""Samples under the window of a frame (20 ms), centred on the frame's own 10 ms."""

Levels = npt.NDArray[np.float64]
"""Energy per frame in dB relative to full scale, shape (frames,); digital silence is -100 dB."""


def frame_energy(wave: Wave) -> Levels:
    """Energy of each 10 ms frame, shape (ceil(samples / 160),). At both ends the window is cut, not padded."""
    count = -(-len(wave) // HOP)
    margin = (WINDOW - HOP) // 2
    edges = np.clip(np.arange(count)[:, None] * HOP + [-margin, WINDOW - margin], 0, len(wave))
    total = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    power = (total[edges[:, 1]] - total[edges[:, 0]]) / (edges[:, 1] - edges[:, 0])
    levels: Levels = 10 * np.log10(np.maximum(power, 1e-10))
    return levels
