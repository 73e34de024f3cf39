"""Real recordings that installed packages carry, as the stages see them: mono float32 at 16 kHz, peak 0.6."""

from functools import cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import Recording, Source
from curation.models.store import resolve

SAMPLE = "pkg:pyannote.audio:sample/sample.wav"
"""30 s of telephone speech, two speakers, overlaps; its reference is sample.rttm beside it."""
TWO_CITIES = "pkg:moonshine_voice:assets/two_cities.wav"
"""44 s, one reader."""
BECKETT = "pkg:moonshine_voice:assets/beckett.wav"
"""10 s, one speaker."""


@cache
def wave(reference: str) -> Wave:
    samples, rate = soundfile.read(resolve(reference), dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE)
    return np.asarray(mono * (0.6 / np.abs(mono).max()), dtype=np.float32)


LIBRIVOX = sorted((Path(__file__).parents[1] / "data" / "librivox").glob("*.flac"))
"""Five sentences of one reader, 2 to 7 s; the text of each is in the .lab file beside it."""


@cache
def librivox() -> tuple[Wave, ...]:
    return tuple(wave(f"path:{path}") for path in LIBRIVOX)


@cache
def librivox_as_read() -> tuple[Wave, ...]:
    """The same at the level of the files."""
    return tuple(soundfile.read(path, dtype="float32")[0] for path in LIBRIVOX)


def recording(samples: Wave, *, name: str = "r", offset: int = 0, span: int = 0) -> Recording:
    source = Source(name, f"{name}.wav")
    return Recording(source, span=span, offset=offset, num_samples=len(samples), audio=samples.copy())
