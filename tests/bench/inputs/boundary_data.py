"""Utterances with whole edges and the same cut mid-word, for tests/bench/accuracy/boundary.py.

An edge is whole where it lies in a pause, 30-200 ms away from the word (less in a short pause), as the diarizer leaves
it; it is cut where it lies in the middle half of a word of at least 120 ms. The times come from forced alignment:
Montreal Forced Aligner for LibriVox and two_cities (tests/data/mfa), PocketSphinx for the others.
"""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curation.audio.levels import frame_energy
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.punctuate.pocketsphinx import PocketSphinx

MFA = Path(__file__).parents[2] / "data" / "mfa"
POCKETSPHINX = Path("/usr/share/pocketsphinx/test/data")
TEXT = (
    "The morning was cold, and nobody spoke. We walked along the river, past the old mill, until the road turned "
    "north. My brother carried both bags. At noon, the clouds opened; a thin yellow light fell across the fields. He "
    "asked twice, but she never answered. Seventeen people were waiting at the station, most of them asleep. Could you "
    "please send the letter before Friday? I think the package, if it arrives, should go upstairs."
)
BECKETT = "ever tried ever failed no matter try again fail again fail better"
VOICES = [("flite", voice) for voice in ("slt", "rms", "awb", "kal16")] + [
    ("espeak-ng", "en-us"),
    ("espeak-ng", "en-us+f3"),
]


@dataclass
class Spoken:
    """A stretch of speech with its word times in samples. `ends` says whether its own two ends are known pauses."""

    group: str
    wave: Wave
    words: list[tuple[int, int]]
    ends: bool = True


@dataclass
class Edge:
    """An utterance, one of whose ends is judged."""

    group: str
    wave: Wave
    side: int
    """0: start, 1: end."""
    cut: bool


def read(path: Path) -> Wave:
    """A file as mono at 16 kHz."""
    wave, rate = soundfile.read(path, dtype="float32")
    return wave if rate == SAMPLE_RATE else np.asarray(soxr.resample(wave, rate, SAMPLE_RATE), np.float32)


def package_file(package: str, member: str) -> Path:
    """A data file of an installed package, found without importing it."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / member


def training() -> Iterator[Spoken]:
    """What the coefficients are fitted on."""
    yield Spoken("two_cities", read(package_file("moonshine_voice", "assets/two_cities.wav")), mfa_words("two_cities"))
    for program, voice in VOICES:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "speech.wav"
            option = ["-voice", voice, "-o", out, "-t"] if program == "flite" else ["-v", voice, "-w", out]
            subprocess.run([program, *map(str, option), TEXT], check=True, capture_output=True)
            yield align("synthetic", read(out), TEXT)


def testing() -> Iterator[Spoken]:
    """Recordings and speakers that the fit never saw."""
    for path in sorted((POCKETSPHINX / "librivox").glob("*.wav")):
        yield Spoken("librivox", read(path), mfa_words(path.stem))
    for line in (POCKETSPHINX / "cards/cards.transcription").read_text().splitlines():
        text, _, name = line.removeprefix("<s>").partition("</s>")
        yield align("cards", read(POCKETSPHINX / f"cards/{name.strip(' ()')}.wav"), text)
    yield align("beckett", read(package_file("moonshine_voice", "assets/beckett.wav")), BECKETT)
    sample = package_file("pyannote", "audio/sample/sample.wav")
    whole = read(sample)
    for line in sample.with_suffix(".stm").read_text().splitlines():
        start, end = (round(float(second) * SAMPLE_RATE) for second in line.split()[3:5])
        # The other speaker often begins at once, so that the ends of a turn are no pauses.
        yield align("pyannote", whole[start:end], line.split(maxsplit=5)[5], ends=False)


def align(group: str, wave: Wave, text: str, *, ends: bool = True) -> Spoken:
    """Word times by PocketSphinx; no words where the text does not fit."""
    placed = PocketSphinx().align(wave, text.split(), "en") or []
    return Spoken(group, wave, [(place.start, place.end) for place in placed if place], ends)


def mfa_words(name: str) -> list[tuple[int, int]]:
    """Word times that Montreal Forced Aligner 3.4.3 gave."""
    words = json.loads((MFA / f"{name}.json").read_text())
    return [(round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)) for start, end, _ in words]


def edges(spoken: Spoken, rng: np.random.Generator, shortest: float = 0.1) -> Iterator[Edge]:
    """Utterances of up to 8 s that begin or end in a pause of at least `shortest` seconds, or inside a word."""
    wave, words = spoken.wave, spoken.words
    bounds = [0, *(time for word in words for time in word), len(wave)]
    gaps = [(a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=True) if b - a >= shortest * SAMPLE_RATE]
    gaps = [gap for gap in gaps if spoken.ends or (gap[0] > 0 and gap[1] < len(wave))]
    centres = [(a + b) // 2 for a, b in gaps]
    places: list[tuple[int, int, bool]] = []
    for a, b in gaps:
        room = min(0.9 * (b - a), 0.2 * SAMPLE_RATE)
        pad = int(rng.uniform(min(0.03 * SAMPLE_RATE, room), room))
        places += [(b - pad, 0, False), (a + pad, 1, False)]
    for a, b in words:
        if b - a >= 0.12 * SAMPLE_RATE:
            places += [(int(a + (b - a) * rng.uniform(0.25, 0.75)), side, True) for side in (0, 1)]
    for at, side, cut in places:
        direction = -1 if side else 1
        ahead = [c for c in centres if SAMPLE_RATE <= direction * (c - at) < 8 * SAMPLE_RATE]
        other = ahead[len(ahead) // 2] if ahead else min(len(wave), max(0, at + direction * 4 * SAMPLE_RATE))
        utterance = wave[min(at, other) : max(at, other)]
        if len(utterance) >= 0.5 * SAMPLE_RATE:
            yield Edge(spoken.group, utterance, side, cut)


def with_noise(wave: Wave, snr_db: float, rng: np.random.Generator) -> Wave:
    """The wave with low-passed noise, `snr_db` below its speech level (90th percentile of the frames)."""
    noise = np.convolve(rng.standard_normal(len(wave) + 1), [0.9, 1.0], "valid")
    level = 10 ** ((np.quantile(frame_energy(wave), 0.9) - snr_db) / 20)
    return (wave + noise * level / np.sqrt(np.mean(noise**2))).astype(np.float32)
