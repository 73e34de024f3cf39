"""Utterances with whole edges and the same cut mid-word, for tests/bench/accuracy/boundary.py.

An edge is whole where it lies in a pause of at least 100 ms between words, and cut where it lies in a word, at least
60 ms from both of its ends. Edges are those that diarization makes (of turns of up to 5 s, so that there are many), and
placed ones: in pauses, 30-200 ms away from the word (less in a short pause), and in all words of at least 150 ms. The
times come from forced alignment of the recordings before noise is added: Montreal Forced Aligner for LibriVox and
two_cities (tests/data/mfa), PocketSphinx for the other English, Whisper for other languages.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import soxr

from curation.audio.edges import NEEDED
from curation.audio.levels import HOP, frame_energy
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import Source
from curation.stages.decode.stage import DecodeConfig, decode_spans
from curation.stages.diarize.stage import Diarize
from curation.stages.punctuate.pauses import spoken_words
from curation.stages.punctuate.pocketsphinx import PocketSphinx
from curation.stages.punctuate.whisper import WhisperAligner
from curation.text.punctuation import split
from tests.support.real_speech import recording

MFA = Path(__file__).parents[2] / "data" / "mfa"
POCKETSPHINX = Path("/usr/share/pocketsphinx/test/data")
TEXT = (
    "The morning was cold, and nobody spoke. We walked along the river, past the old mill, until the road turned "
    "north. My brother carried both bags. At noon, the clouds opened; a thin yellow light fell across the fields. He "
    "asked twice, but she never answered. Seventeen people were waiting at the station, most of them asleep. Could you "
    "please send the letter before Friday? I think the package, if it arrives, should go upstairs."
)
MARGIN = SAMPLE_RATE * 60 // 1000
"""A cut is at least this far from the ends of its word."""
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
    """One end of an utterance, `start` to `end` (samples) of a recording."""

    group: str
    wave: Wave
    start: int
    end: int
    side: int
    """0: start, 1: end."""
    cut: bool | None
    """None: neither known to be whole nor to be cut; the recording's own ends are among those."""
    placed: bool = True
    """False: diarization made it."""
    speech: float = 1.0
    """Probability of speech beyond it, as diarization hears it; placed ones have none."""

    @property
    def at(self) -> int:
        """Where it is, in samples."""
        return self.end if self.side else self.start

    @property
    def outer(self) -> bool:
        """Whether the recording ends there, or soon after."""
        return (len(self.wave) - self.at if self.side else self.at) < NEEDED * HOP


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


def folder(path: Path) -> Iterator[Spoken]:
    """The recordings of a folder whose `manifest.jsonl` has the columns path, language and transcript."""
    whisper = WhisperAligner()
    for line in (path / "manifest.jsonl").read_text().splitlines():
        row = json.loads(line)
        spans = decode_spans(Source(row["path"], str(path / row["path"])), DecodeConfig())
        wave = np.concatenate([span.audio for span in spans if span.audio is not None])
        words = spoken_words(split(row["transcript"]))
        aligner = PocketSphinx() if row["language"] == "en" else whisper
        placed = [place for place in aligner.align(wave, words, row["language"]) or [] if place]
        # How such files were cut is not known, so that their ends are not judged.
        group = f"{path.name} {row['language']}"
        yield Spoken(group, wave, [(place.start, place.end) for place in placed], ends=False)


def pauses(spoken: Spoken) -> list[tuple[int, int]]:
    """Start and end of the pauses of at least 100 ms."""
    bounds = [0, *(time for word in spoken.words for time in word), len(spoken.wave)]
    gaps = [(a, b) for a, b in zip(bounds[::2], bounds[1::2], strict=True) if b - a >= 0.1 * SAMPLE_RATE]
    return [gap for gap in gaps if spoken.ends or (gap[0] > 0 and gap[1] < len(spoken.wave))]


def placed_edges(spoken: Spoken, rng: np.random.Generator) -> Iterator[Edge]:
    """Utterances of 1 to 8 s that begin or end in a pause, or inside a word."""
    wave, gaps = spoken.wave, pauses(spoken)
    centres = [(a + b) // 2 for a, b in gaps]
    places: list[tuple[int, int, bool]] = []
    for a, b in gaps:
        room = min(0.9 * (b - a), 0.2 * SAMPLE_RATE)
        pad = int(rng.uniform(min(0.03 * SAMPLE_RATE, room), room))
        places += [(b - pad, 0, False), (a + pad, 1, False)]
    for a, b in spoken.words:
        if b - a >= 0.15 * SAMPLE_RATE:
            places += [(int(rng.uniform(a + MARGIN, b - MARGIN)), side, True) for side in (0, 1)]
    for at, side, cut in places:
        direction = -1 if side else 1
        ahead = [c for c in centres if SAMPLE_RATE <= direction * (c - at) < 8 * SAMPLE_RATE]
        other = ahead[len(ahead) // 2] if ahead else min(len(wave), max(0, at + direction * 4 * SAMPLE_RATE))
        if abs(other - at) >= 0.5 * SAMPLE_RATE:
            yield Edge(spoken.group, wave, min(at, other), max(at, other), side, cut)


def diarized_edges(spoken: Spoken, stage: Diarize) -> Iterator[Edge]:
    """The ends of the utterances that diarization makes."""
    row = recording(spoken.wave)
    stage.process([row])
    for segment in row.live_segments:
        for side, at in enumerate((segment.start, segment.end)):
            heard = segment.scores.get(f"diarize.speech_{('before', 'after')[side]}", 1.0)
            cut = is_cut(spoken, at)
            yield Edge(spoken.group, spoken.wave, segment.start, segment.end, side, cut, placed=False, speech=heard)


def is_cut(spoken: Spoken, at: int) -> bool | None:
    """Whether a word is cut at a time (samples); None where it is neither clearly in a word nor in a pause."""
    if any(a + MARGIN <= at <= b - MARGIN for a, b in spoken.words):
        return True
    return False if any(a <= at <= b for a, b in pauses(spoken)) else None


def white(samples: int, rng: np.random.Generator) -> Wave:
    """Noise that is a little louder at low frequencies."""
    return np.asarray(np.convolve(rng.standard_normal(samples + 1), [0.9, 1.0], "valid"), np.float32)


def pink(samples: int, rng: np.random.Generator) -> Wave:
    """Noise whose power falls with the frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    return np.asarray(np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), samples), np.float32)


def music(samples: int, rng: np.random.Generator) -> Wave:
    """Four voices of plucked notes, and a drum."""
    out = np.zeros(samples)
    for _ in range(4):
        at = 0
        while at < samples:
            time = np.arange(min(int(rng.integers(3000, 12000)), samples - at)) / SAMPLE_RATE
            hertz = 110 * 2 ** (rng.integers(0, 30) / 12)
            tone = sum(np.sin(2 * np.pi * hertz * n * time + rng.uniform(0, 6)) / n**1.3 for n in range(1, 8))
            out[at : at + len(time)] += np.minimum(time / 0.01, 1) * np.exp(-time * rng.uniform(1, 5)) * tone
            at += len(time)
    for at in rng.integers(0, samples, samples // 8000 + 1):
        length = min(2000, samples - int(at))
        out[at : at + length] += 0.7 * rng.standard_normal(length) * np.exp(-np.arange(length) / 400)
    return out.astype(np.float32)


def with_noise(
    wave: Wave, snr_db: float, rng: np.random.Generator, make: Callable[[int, np.random.Generator], Wave] = white
) -> Wave:
    """The wave with noise `snr_db` below its speech level (90th percentile of the frames)."""
    noise = make(len(wave), rng)
    level = 10 ** ((np.quantile(frame_energy(wave), 0.9) - snr_db) / 20)
    return np.asarray(wave + noise * level / np.sqrt(np.mean(noise**2)), np.float32)
