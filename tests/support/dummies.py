"""Audio for tests: tones made in memory, and real speech that installed packages carry."""

import importlib.util
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curation.audio.wave import SAMPLE_RATE, Wave


def package_file(package: str, member: str) -> Path:
    """A data file of an installed package, located without importing it."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / member


def monologue() -> Path:
    """44 s of one reader, 48 kHz WAV."""
    return package_file("moonshine_voice", "assets/two_cities.wav")


def dialogue() -> Path:
    """30 s of two speakers, 16 kHz WAV; `sample.rttm` and `sample.stm` lie beside it."""
    return package_file("pyannote", "audio/sample/sample.wav")


@cache
def _monologue_wave() -> Wave:
    wave, rate = soundfile.read(monologue(), dtype="float32")
    resampled: Wave = soxr.resample(wave, rate, SAMPLE_RATE, quality="VHQ")
    resampled.setflags(write=False)
    return resampled


def speech(seconds: float, start: float = 0.0) -> Wave:
    """(samples,) real speech at 16 kHz, repeated where `seconds` is more than the 44 s there are."""
    wave = np.roll(_monologue_wave(), -round(start * SAMPLE_RATE))
    return np.resize(wave, round(seconds * SAMPLE_RATE))


def tone(seconds: float, hertz: float = 440.0, peak: float = 0.5, rate: int = SAMPLE_RATE) -> Wave:
    """(samples,) a sine at `rate`."""
    times = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hertz * times)).astype(np.float32)


def noise(seconds: float, seed: int = 0, rate: int = SAMPLE_RATE) -> Wave:
    """(samples,) white Gaussian noise with a standard deviation of 1."""
    return np.random.default_rng(seed).standard_normal(round(seconds * rate)).astype(np.float32)


def mix(wave: Wave, other: Wave, snr_db: float) -> Wave:
    """`wave` with `other` added at a signal-to-noise ratio, in dB of the mean power."""
    gain = np.sqrt(np.mean(np.square(wave)) / np.mean(np.square(other)) / 10 ** (snr_db / 10))
    return (wave + gain * other).astype(np.float32)


def write_wav(path: Path, wave: Wave, rate: int = SAMPLE_RATE, subtype: str = "PCM_16") -> Path:
    """Write (samples,) or (samples, channels) as WAV; `subtype` is soundfile's (PCM_16, PCM_24, FLOAT, ...)."""
    soundfile.write(path, wave, rate, subtype=subtype, format="WAV")
    return path


def encode(
    path: Path,
    wave: Wave,
    codec: str,
    rate: int = 48_000,
    layout: str = "mono",
    *,
    video: bool = False,
    bit_rate: int = 0,
    **options: str,
) -> Path:
    """Encode 16 kHz speech with FFmpeg; the container follows from the suffix. All channels carry the same audio, or
    (channels, samples) their own.
    """
    import av

    resampled = np.atleast_2d(wave)
    if rate != SAMPLE_RATE:
        resampled = np.stack([soxr.resample(channel, SAMPLE_RATE, rate, quality="VHQ") for channel in resampled])
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        picture = container.add_stream("mpeg4", rate=10, width=64, height=64, pix_fmt="yuv420p") if video else None
        channels = np.broadcast_to(resampled, (stream.codec_context.channels, resampled.shape[1]))
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=layout)
        frame.sample_rate, frame.pts = rate, 0
        frames = av.AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate).resample(frame)
        for audio in [*frames, None]:
            container.mux(stream.encode(audio))
        for number in range(round(np.shape(wave)[-1] / SAMPLE_RATE * 10) if picture else 0):
            image = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number % 255, np.uint8), format="rgb24")
            container.mux(picture.encode(image))
        container.mux(picture.encode(None) if picture else [])
    return path


def encode_at(path: Path, blocks: Sequence[tuple[float, Wave]]) -> Path:
    """16-bit PCM at 16 kHz whose time stamps jump: each block starts at its own second. A Matroska container."""
    import av

    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout="mono")
        for start, wave in blocks:
            samples = np.round(wave * 32767).astype(np.int16)
            for first in range(0, len(samples), 320):
                frame = av.AudioFrame.from_ndarray(samples[None, first : first + 320], format="s16", layout="mono")
                frame.sample_rate, frame.time_base = SAMPLE_RATE, Fraction(1, SAMPLE_RATE)
                frame.pts = round(start * SAMPLE_RATE) + first
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_tracks(path: Path, waves: Sequence[Wave]) -> Path:
    """Audio tracks in one Matroska file, as `ffmpeg -i a -i b -map 0:a -map 1:a x.mkv` writes them.

    Of a wave with two rows, stereo.
    """
    import av

    layouts = ["mono" if wave.ndim == 1 else "stereo" for wave in waves]
    with av.open(str(path), "w", format="matroska") as container:
        streams = [container.add_stream("pcm_s16le", rate=SAMPLE_RATE, layout=layout) for layout in layouts]
        for stream, wave, layout in zip(streams, waves, layouts, strict=True):
            samples = np.round(wave.T.reshape(1, -1) * 32768).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout=layout)
            frame.sample_rate, frame.pts = SAMPLE_RATE, 0
            container.mux([*stream.encode(frame), *stream.encode(None)])
    return path
