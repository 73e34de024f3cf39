"""Decoded frames of any number of channels become blocks of mono float32 at 16 kHz."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.decode.channels import Channels, Separation

MIN_RATE, MAX_RATE = 1_000, 768_000
"""Hz. Outside of it a header is damaged, and a resampler for it could need gigabytes."""
MAX_CHANNELS = 64
MAX_COMPARED = 8
"""Channels. Of more the mean is taken, whether they cancel out or not."""
CANCELLED = 0.1
"""Energy of the mean of channels, as a share of what it is where they have nothing in common. Below it, in a block of a
second, they cancel out: for two channels of equal strength, a correlation below -0.9."""
FAR_STRONGER = 4.0
"""Energy, relative to the first channel."""
LOUDEST = 1e10
"""Float samples beyond it are noise of a damaged file; files in 16- and 32-bit integer units stay below."""
_FULL_SCALE = {"u1": 128.0, "i2": 32768.0, "i4": 2147483648.0}


class MediaError(ValueError):
    """The file cannot be used; the message names the cause and the remedy."""


def planes(frame: Any, channel: int | None = None) -> Channels:
    """The channels of a decoded frame, or only one of them: (channels, samples) float32, full scale 1; NaN where it is
    not a number. Raises MediaError.
    """
    _check(frame.sample_rate, frame.layout.nb_channels)
    if channel is not None and channel >= frame.layout.nb_channels:
        msg = (
            f"no channel {channel}: the track has {frame.layout.nb_channels}, counted from 0; correct the column "
            f"`channel`"
        )
        raise MediaError(msg)
    data: npt.NDArray[Any] = frame.to_ndarray()
    if not frame.format.is_planar:
        data = data.reshape(-1, frame.layout.nb_channels).T
    if channel is not None:
        data = data[channel : channel + 1]
    kind = data.dtype.str[1:]
    with np.errstate(invalid="ignore", over="ignore"):  # damaged float samples
        wave = np.array(data, dtype=np.float32, order="C")
    if kind == "u1":
        wave -= np.float32(128.0)
    if kind in _FULL_SCALE:
        wave /= np.float32(_FULL_SCALE[kind])
    else:
        wave[~(np.abs(wave) <= LOUDEST)] = np.nan
    return wave if len(wave) <= MAX_COMPARED else np.asarray(wave.mean(axis=0, keepdims=True), np.float32)


def mixed(wave: Channels) -> Wave:
    """One channel of several: (channels, samples) -> (samples,).

    It is their mean; where they cancel out (one is the other upside down), the first, or one that is far stronger.
    """
    first: Wave = wave[0]
    if len(wave) == 1:
        return first
    total: Wave = wave.sum(axis=0)
    energy = np.array([np.dot(channel, channel) for channel in wave])
    if np.dot(total, total) < CANCELLED * energy.sum():
        best: Wave = wave[int(np.argmax(energy))]
        return best if energy.max() > FAR_STRONGER * energy[0] else first
    return total / np.float32(len(wave))


class Joiner:
    """Joins frames to blocks of a second of the recording's clock, makes one channel of each, and resamples it.

    Blocks begin at whole seconds wherever reading began. A new resampler starts where the sample rate changes.
    """

    def __init__(self) -> None:
        self._rate = 0
        self._resampler: Any = None
        self._frames: list[Channels] = []
        self.separation = Separation()

    def feed(self, wave: Channels, rate: int, time: float) -> Iterator[Wave]:
        """Add (channels, samples) at `rate` Hz, from `time` (s) on; yields the blocks at 16 kHz that it completes."""
        if rate != self._rate:
            yield self.flush()
            self._rate, self._resampler = rate, _resampler(rate)
        while wave.shape[1]:
            left = rate - round(time * rate) % rate
            self._frames.append(wave[:, :left])
            if wave.shape[1] < left:
                return
            yield self._resample(last=False)
            wave, time = wave[:, left:], time + left / rate

    def flush(self) -> Wave:
        """What is left of the samples so far, at 16 kHz."""
        return self._resample(last=True)

    def _resample(self, *, last: bool) -> Wave:
        block = _joined(self._frames)
        self.separation.feed(block, self._rate)
        wave, self._frames = mixed(block), []
        if self._resampler is None:
            return wave
        resampled: Wave = self._resampler.resample_chunk(wave, last=last)
        if last:
            self._rate, self._resampler = 0, None
        return resampled


def _joined(frames: list[Channels]) -> Channels:
    """Frames one after the other; silence has one channel, whatever the others have."""
    most = max(map(len, frames), default=1)
    if any(len(frame) not in {1, most} for frame in frames):
        frames, most = [mixed(frame)[None] for frame in frames], 1
    same = [np.broadcast_to(frame, (most, frame.shape[1])) for frame in frames]
    return np.concatenate([*same, np.zeros((most, 0), np.float32)], axis=1)


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
