"""Mono audio files outside of builds: what is listened to, what models of other programs read, what is fitted on.

Recordings of a build, of any format and possibly damaged, go through the decode stage instead.
"""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from curation.audio.wave import SAMPLE_RATE, Wave


def read_wave(path: Path, start: float = 0.0, stop: float | None = None) -> Wave:
    """Read a file as (samples,) float32, mono at 16 kHz; `start` and `stop` are fractions of its length."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = wave.mean(axis=1)
    mono = mono[int(len(mono) * start) : None if stop is None else int(len(mono) * stop)]
    return np.asarray(soxr.resample(mono, rate, SAMPLE_RATE), dtype=np.float32)


def write_wave(path: Path, wave: Wave) -> None:
    """Write (samples,) float32 at 16 kHz, with its folder; values outside -1..1 are clipped by soundfile.

    The suffix gives the format: 16 bits in .wav and .flac, Vorbis in .ogg.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, SAMPLE_RATE)
