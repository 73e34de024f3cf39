"""Real utterances with reference transcripts, from this repository and from installed packages.

LibriVox: Sense and Sensibility, five sentences (public domain; Debian's pocketsphinx-testdata). two_cities: 44 s of A
Tale of Two Cities (moonshine-voice), cut at quiet points. sample: the turns of pyannote's two-speaker telephone call.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve

DATA = Path(__file__).parents[2] / "data"


@dataclass(frozen=True, slots=True)
class Passage:
    """Utterances that together say `reference`."""

    corpus: str
    waves: list[Wave]
    reference: str


def passages() -> list[Passage]:
    """All passages, in a fixed order."""
    return [*librivox(), *two_cities(seconds=5), *sample_turns()]


def librivox() -> list[Passage]:
    """Five read sentences, 3 to 7 s each."""
    paths = sorted((DATA / "librivox").glob("*.flac"))
    return [Passage("librivox", [read(path)], path.with_suffix(".lab").read_text()) for path in paths]


def two_cities(seconds: float) -> list[Passage]:
    """One read passage, cut into pieces of up to `seconds`."""
    wave = read(resolve("pkg:moonshine_voice:assets/two_cities.wav"))
    return [Passage("two_cities", cut(wave, seconds), (DATA / "two_cities.lab").read_text())]


def sample_turns() -> list[Passage]:
    """Thirteen turns of a spontaneous dialogue, 0.4 to 4.4 s each."""
    folder = resolve("pkg:pyannote.audio:sample")
    wave = read(folder / "sample.wav")
    turns = [line.split(maxsplit=5) for line in (folder / "sample.stm").read_text().splitlines() if line.strip()]
    return [
        Passage("sample", [wave[round(float(start) * SAMPLE_RATE) : round(float(end) * SAMPLE_RATE)]], text)
        for _, _, _, start, end, text in turns
    ]


def read(path: Path) -> Wave:
    """(samples,) float32, mono, 16 kHz, peak 0.6 as the pipeline publishes it."""
    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = soxr.resample(wave.mean(axis=1), rate, SAMPLE_RATE)
    return (mono * (0.6 / np.abs(mono).max())).astype(np.float32)


def cut(wave: Wave, seconds: float) -> list[Wave]:
    """Pieces of 0.3 to 1 times `seconds`, cut where the energy over 0.2 s is least."""
    hop = SAMPLE_RATE // 100
    energy = np.square(wave[: len(wave) // hop * hop].reshape(-1, hop)).mean(axis=1)
    smooth = np.convolve(energy, np.ones(20) / 20, "same")
    pieces, start = [], 0
    while len(wave) - start > seconds * SAMPLE_RATE:
        first, last = start // hop + round(seconds * 30), start // hop + round(seconds * 100)
        end = (first + int(smooth[first:last].argmin())) * hop
        pieces.append(wave[start:end])
        start = end
    return [*pieces, wave[start:]]


def with_noise(wave: Wave, decibels: float, seed: int) -> Wave:
    """White noise added at this signal-to-noise ratio, peak 0.6 again."""
    noise = np.random.default_rng(seed).standard_normal(len(wave))
    noisy = wave + noise * np.sqrt(np.square(wave).mean() / 10 ** (decibels / 10))
    return (noisy * (0.6 / np.abs(noisy).max())).astype(np.float32)
