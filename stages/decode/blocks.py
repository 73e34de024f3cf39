"""Decoded frames become blocks of mono float32 at 16 kHz."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Hz. Outside of it a header is damaged, and a resampler for it could need gigabytes."""
MAX_CHANNELS = 64
BLOCK_SECONDS = 1.0
"""Decoded frames (20 ms or so) are joined to blocks of this length before they are resampled."""
LOUDEST = 1e10
"""Float samples beyond it are noise of a damaged file; files in 16- and 32-bit integer units stay below."""
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}


class MediaError(ValueError):
    """The file cannot be used; the message names the cause and the remedy."""


def mono(frame: Any) -> Wave:
    """Mean of the channels of a decoded frame: (samples,) float32, full scale 1; NaN where it is not a number."""
    _check(frame.sample_rate, frame.layout.nb_channels)
    data: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T  # (channels, samples)
    kind = data.dtype.str[1:]
    if kind == "u1":
        data = data.astype(np.float32) - 128.0
    with np.errstate(invalid="ignore", over="ignore"):  # damaged float samples
        wave = data.mean(axis=0, dtype=np.float64) / _FULL_SCALE.get(kind, 1.0)
    if kind in {"f4", "f8"}:
        wave[~(np.abs(wave) <= LOUDEST)] = np.nan
    return np.asarray(wave, dtype=np.float32)


class Joiner:
    """Joins frames to blocks and resamples them; a new resampler starts where the sample rate changes."""

    def __init__(self) -> None:
        self._rate = 0
        self._resampler: Any = None
        self._frames: list[Wave] = []
        self._waiting = 0

    def feed(self, wave: Wave, rate: int) -> Iterator[Wave]:
        """Add (samples,) at `rate` Hz; yields the blocks at 16 kHz that it completes."""
        if rate != self._rate:
            yield self.flush()
            self._rate, self._resampler = rate, _resampler(rate)
        self._frames.append(wave)
        self._waiting += len(wave)
        if self._waiting >= BLOCK_SECONDS * rate:
            yield self._resample(last=False)

    def flush(self) -> Wave:
        """What is left of the samples so far, at 16 kHz."""
        return self._resample(last=True)

    def _resample(self, *, last: bool) -> Wave:
        wave = np.concatenate([*self._frames, np.zeros(0, np.float32)])
        self._frames, self._waiting = [], 0
        if self._resampler is None:
            return wave
        resampled: Wave = self._resampler.resample_chunk(wave, last=last)
        if last:
            self._rate, self._resampler = 0, None
        return resampled


def _resampler(rate: int) -> Any:
    import soxr

    return None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, quality="VHQ")


def _check(rate: int, channels: int) -> None:
    if not (MIN_RATE <= rate <= MAX_RATE and 1 <= channels <= MAX_CHANNELS):
        msg = (
            f"{rate} Hz with {channels} channels is outside of {MIN_RATE}..{MAX_RATE} Hz and 1..{MAX_CHANNELS}: "
            f"the header is probably damaged; convert the file, or fetch it again"
        )
        raise MediaError(msg)
