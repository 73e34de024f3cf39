"""What the audio on both sides of a cut says: does speech go on across it?

All evidence compares the cut with its own surroundings (0.4 s on each side), so that neither gain nor a steady noise
counts: a pause is where all bands are at the lowest that they are nearby, in a quiet room as in noise. Levels are in
dB, relative to the speech of the utterance: the level that its loudest tenth exceeds.
"""

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from curation.audio.levels import HOP, frame_energy
from curation.audio.wave import SAMPLE_RATE, Wave

Floats = npt.NDArray[np.float64]
AROUND = 40
"""Frames of 10 ms on each side of the cut."""
WINDOW = 400
"""Samples (25 ms) under the window of a frame."""
BANDS, LOWEST_HZ, HIGHEST_HZ = 20, 100.0, 7000.0
RANGE_DB = 50.0
"""What is this far below the loudest frame is silence: digital silence is no better a pause than a quiet room."""
CONTRAST_DB = 6.0
"""Added to the range of a band: one in which little changes says little."""
NEEDED = 15
"""Frames beyond a cut from which on they are heard; with less, the recording ends there, and only the inside counts."""
VOICED = 16
"""Frames on each side whose voicing is heard."""
QUIET_DB, VOICE_DB = 20.0, 15.0
"""What is 20 dB below speech (breath, music) counts nothing, from there in proportion, and 15 dB above in full."""
PERIOD = 320
"""Samples (40 ms at 8 kHz) in which a period is searched, from 60 to 400 Hz."""
FASTEST, SLOWEST = 20, 133


def across(wave: Wave, at: int, side: int, speech: float) -> Floats | None:
    """Evidence that a word goes on across a cut at sample `at` of a recording, shape (4,), the higher the more likely.

    `side` is 0 where the utterance begins at the cut, 1 where it ends there; `speech` is its level of speech (dB). In
    order: `presence`, how far the quietest 80 ms at the cut are above the quietest nearby, relative to the range, 0..1,
    the mean over the bands; the level of the 150 ms beyond the cut; how voiced the 120 ms inside are, and the 40 ms on
    each side, 0..1. Presence and voicing of what is as quiet as breath or music count less. None where less than 150 ms
    of the recording lie beyond the cut.
    """
    near, beyond = _outwards(wave, at, side)
    if beyond < NEEDED:
        return None
    level = _levels(near, speech)
    voicing = _voicing(near) * _loud(level)[AROUND - VOICED : AROUND + VOICED]
    presence = _presence(_bands(near)[AROUND - beyond :], 8, range(beyond - 8, beyond + 1))
    return np.array(
        [
            presence * _loud(_mean(level[AROUND - 2 : AROUND + 2])),
            _mean(level[AROUND - NEEDED : AROUND]),
            voicing[VOICED : VOICED + 12].max(),
            voicing[VOICED - 4 : VOICED + 4].max(),
        ]
    )


def inside(wave: Wave, at: int, side: int, speech: float) -> Floats:
    """Evidence that a word is cut off where a recording ends, shape (2,), from the inside alone: `presence` as in
    `across` with 30 ms for 80, and how voiced the first 40 ms are.
    """
    near, _ = _outwards(wave, at, side)
    near[: AROUND * HOP + WINDOW] = 0
    level = _levels(near, speech)
    voicing = _voicing(near) * _loud(level)[AROUND - VOICED : AROUND + VOICED]
    presence = _presence(_bands(near)[AROUND:], 3, range(3)) * _loud(_mean(level[AROUND : AROUND + 3]))
    return np.array([presence, voicing[VOICED + 1 : VOICED + 5].max()])


def _outwards(wave: Wave, at: int, side: int) -> tuple[Floats, int]:
    """The surroundings of the cut with silence where the wave ends, in time from beyond to inside, and a window's
    length more at both ends; and the whole frames that lie beyond.
    """
    if side:
        wave, at = wave[::-1], len(wave) - at
    reach = AROUND * HOP + WINDOW
    near = np.zeros(2 * reach)
    first, last = max(at - reach, 0), min(at + reach, len(wave))
    near[first - at + reach : last - at + reach] = wave[first:last]
    return near, min(at // HOP, AROUND)


def _bands(near: Floats) -> Floats:
    """Power in each band, shape (2 * AROUND, BANDS)."""
    skip = WINDOW - (WINDOW - HOP) // 2
    frames = sliding_window_view(near[skip:], WINDOW)[::HOP][: 2 * AROUND]
    power = np.abs(np.fft.rfft(frames * np.hanning(WINDOW), 512)) ** 2 @ FILTERS
    quietest = power.mean(axis=1).max() * 10 ** (-RANGE_DB / 10)
    return np.asarray(power + max(quietest, 1e-30))


def _filters() -> Floats:
    """Triangles that are equally wide in mel, shape (257, BANDS)."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOWEST_HZ, HIGHEST_HZ))
    corners = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hertz = np.arange(257)[:, None] * SAMPLE_RATE / 512
    rise, fall = hertz - corners[:-2], corners[2:] - hertz
    return np.asarray(np.maximum(0, np.minimum(rise / np.diff(corners)[:-1], fall / np.diff(corners)[1:])))


FILTERS = _filters()


def _levels(near: Floats, speech: float) -> Floats:
    """The level of each frame, shape (2 * AROUND,), in dB relative to speech and not below `-RANGE_DB`."""
    found = frame_energy(near[WINDOW:-WINDOW].astype(np.float32)) - speech
    return np.asarray(np.maximum(found, -RANGE_DB))


def _mean(levels: Floats) -> float:
    return float(10 * np.log10(np.mean(10 ** (levels / 10))))


def _presence(power: Floats, frames: int, starts: range) -> float:
    """How much of the range of each band the quietest of the stretches that begin at `starts` keeps."""
    total = np.cumsum(np.pad(power, ((1, 0), (0, 0))), axis=0)
    level = 10 * np.log10((total[frames:] - total[:-frames]) / frames)
    lowest, here = level.min(axis=0), level[starts.start : starts.stop].min(axis=0)
    return float(np.mean((here - lowest) / (level.max(axis=0) - lowest + CONTRAST_DB)))


def _loud(level: Floats | float) -> Floats:
    """0 where it is as quiet as breath or music, 1 where it is as loud as speech."""
    return np.asarray(np.clip((level + QUIET_DB) / VOICE_DB, 0, 1))


def _voicing(near: Floats) -> Floats:
    """The highest autocorrelation of each frame at the period of a voice, 0..1, shape (2 * VOICED,)."""
    length = (2 * VOICED - 1) * HOP + 2 * PERIOD
    first = len(near) // 2 - VOICED * HOP + HOP // 2 - PERIOD
    half = near[first : first + length].reshape(-1, 2).mean(axis=1)
    frames = sliding_window_view(half, PERIOD)[:: HOP // 2]
    frames = (frames - frames.mean(axis=1, keepdims=True)) * np.hanning(PERIOD)
    found = _autocorrelation(frames)
    found /= np.maximum(found[:, :1], 1e-30)
    return np.asarray((found / WINDOWED)[:, FASTEST:SLOWEST].max(axis=1))


def _autocorrelation(frames: Floats) -> Floats:
    return np.asarray(np.fft.irfft(np.abs(np.fft.rfft(frames, 1024)) ** 2)[..., :SLOWEST])


WINDOWED = _autocorrelation(np.hanning(PERIOD))
WINDOWED /= WINDOWED[0]
