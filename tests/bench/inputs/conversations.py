"""Conversations put together of real voices, with a reference of who speaks when: seeded, the same every time.

`turns`: 14 turns of 1.5 to 6 s of two to six speakers, pauses of 0.1 to 0.8 s, an overlap in one of six.
`meeting`: three or four speakers at different distances in one room; in one of three changes the next one starts
before the last one ends, and in one of three turns somebody says a word or two in the middle of it; steady noise.
Where a voice speaks comes from the level of its clip.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.signal import fftconvolve

from curation.audio.files import read_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve
from curation.stages.diarize.pauses import Pauses, stretches
from tests.support.real_speech import SAMPLE, TWO_CITIES, librivox, wave

Turns = list[tuple[float, float, str]]
"""Start and end (s), and who."""
SUFFIXES = {".wav", ".mp3", ".flac", ".opus"}


def turns(seed: int, voices: Mapping[str, Sequence[Wave]]) -> tuple[Wave, Turns]:
    """A conversation by turns, near the microphone; peak 0.6."""
    rng = np.random.default_rng(seed)
    mix = Mix(rng, voices, some(rng, voices, 2, 6))
    for number in range(14):
        gap = -rng.uniform(0.3, 1.2) if rng.random() < 1 / 6 else rng.uniform(0.1, 0.8)
        mix.add(mix.names[number % len(mix.names)], rng.uniform(1.5, 6), mix.end + gap)
    return mix.done(noise=5e-4)


def meeting(seed: int, voices: Mapping[str, Sequence[Wave]]) -> tuple[Wave, Turns]:
    """A meeting in a room, with a lot of cross-talk; peak 0.6."""
    rng = np.random.default_rng(seed)
    mix = Mix(rng, voices, some(rng, voices, 3, 4), room=True)
    speaker = mix.names[0]
    for _ in range(12):
        start = mix.end + (-rng.uniform(0.2, 1.5) if rng.random() < 1 / 3 else rng.uniform(0.0, 0.8))
        mix.add(speaker, rng.uniform(1.5, 8), start)
        if rng.random() < 1 / 3:
            other = rng.choice([name for name in mix.names if name != speaker])
            mix.add(other, rng.uniform(0.3, 1.0), rng.uniform(start + 0.5, max(mix.end - 0.5, start + 0.6)))
        speaker = rng.choice([name for name in mix.names if name != speaker])
    return mix.done(noise=4e-3)


class Mix:
    """A recording that grows. Where it is a room, each speaker has a distance and an echo of their own."""

    def __init__(
        self, rng: np.random.Generator, voices: Mapping[str, Sequence[Wave]], names: Sequence[str], room: bool = False
    ) -> None:
        self.rng, self.voices, self.names = rng, voices, names
        self.wave = np.zeros(0, np.float32)
        self.truth: Turns = []
        self.gains = {name: 10 ** (rng.uniform(-6, 3) / 20) if room else 1.0 for name in names}
        self.echoes = {name: echo(rng) if room else None for name in names}

    @property
    def end(self) -> float:
        """Where the last turn ends (s)."""
        return len(self.wave) / SAMPLE_RATE

    def add(self, name: str, seconds: float, start: float) -> None:
        """Add a piece of a voice."""
        clips = self.voices[name]
        clip, length = clips[self.rng.integers(len(clips))], int(seconds * SAMPLE_RATE)
        clip = clip[(first := self.rng.integers(0, max(1, len(clip) - length) + 1)) : first + length]
        clip = clip * np.float32(0.08 * self.gains[name] / np.sqrt(np.mean(np.square(clip)) + 1e-9))
        at = max(0, int(start * SAMPLE_RATE))
        self.truth += [(at / SAMPLE_RATE + a / 100, at / SAMPLE_RATE + b / 100, name) for a, b in voiced(clip)]
        if self.echoes[name] is not None:
            clip = fftconvolve(clip, self.echoes[name])[: len(clip)].astype(np.float32)
        self.wave = np.pad(self.wave, (0, max(0, at + len(clip) - len(self.wave))))
        self.wave[at : at + len(clip)] += clip

    def done(self, noise: float) -> tuple[Wave, Turns]:
        """The recording with white noise of this level, peak 0.6, and who speaks when."""
        mixed = self.wave + self.rng.normal(0, noise, len(self.wave)).astype(np.float32)
        return np.asarray(mixed * (0.6 / np.abs(mixed).max()), dtype=np.float32), sorted(self.truth)


def some(rng: np.random.Generator, voices: Mapping[str, Sequence[Wave]], least: int, most: int) -> list[str]:
    """The names of some voices."""
    count = min(len(voices), int(rng.integers(least, most + 1)))
    return [str(name) for name in rng.choice(sorted(voices), count, replace=False)]


def echo(rng: np.random.Generator) -> Wave:
    """Impulse response of a room, direct sound first: noise that falls by 60 dB in 0.3 to 0.6 s."""
    length = int(rng.uniform(0.3, 0.6) * SAMPLE_RATE)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail *= np.sqrt(10 ** (rng.uniform(-6, 3) / 10) / np.sum(tail**2))
    tail[0] = 1
    return tail.astype(np.float32)


def voiced(clip: Wave) -> list[tuple[int, int]]:
    """Stretches (10 ms frames) within 30 dB of the loud parts; gaps below 0.3 s are filled."""
    db = Pauses(clip).db
    loud = np.ones(len(db), bool)
    for start, end in stretches(db < np.percentile(db, 95) - 30):
        loud[start:end] = end - start < 30
    return stretches(loud)


def packaged_voices() -> dict[str, list[Wave]]:
    """Stretches of single speakers: a reader of LibriVox, one of A Tale of Two Cities, and the two of the sample."""
    cities = wave(TWO_CITIES)
    clips = {"librivox": list(librivox()), "cities": [cities[i : i + 80_000] for i in range(0, 640_000, 80_000)]}
    for name in ("speaker90", "speaker91"):
        long = [t for t in sample_reference() if t[2] == name and t[1] - t[0] > 2]
        clips[name] = [wave(SAMPLE)[int(t[0] * SAMPLE_RATE) : int(t[1] * SAMPLE_RATE)] for t in long]
    return clips


def folder_voices(folder: Path, name: str = "*") -> dict[str, list[Wave]]:
    """The recordings of a folder whose names match, each another voice."""
    files = sorted(file for file in folder.glob(name) if file.suffix in SUFFIXES)
    return {file.stem: [read_wave(file)] for file in files}


def sample_reference() -> Turns:
    """The turns of pyannote's sample, from its RTTM file."""
    return read_rttm(resolve(SAMPLE).with_suffix(".rttm"))["sample"]


def read_rttm(path: Path) -> dict[str, Turns]:
    """Who speaks when, by the name of the recording."""
    found: dict[str, Turns] = {}
    for fields in map(str.split, path.read_text(encoding="utf-8").splitlines()):
        if fields and fields[0] == "SPEAKER":
            start = float(fields[3])
            found.setdefault(fields[1], []).append((start, start + float(fields[4]), fields[7]))
    return found
