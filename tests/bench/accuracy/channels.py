"""How often stereo is taken for one speaker on each channel, and how often that is missed (`decode.channels: auto`).

    python -m tests.bench.accuracy.channels [--seconds 60] [--real FOLDER]

Dialogues are made of two real voices that take turns, each on its channel, with what one microphone hears of the other
speaker (leak), noise and different gains; other stereo of the same voices: a room with two microphones, panned voices,
one speaker with an empty or noisy second channel, music. `--real` adds the stereo files of a folder, none of which
should be split. Prints the share that is split.
"""

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr
from scipy.signal import fftconvolve

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.decode.channels import Separation
from tests.support.dummies import dialogue, monologue, package_file

REPEATS = 6


def voices() -> list[Wave]:
    """Two readers and a telephone dialogue, level 0.1."""
    paths = [monologue(), dialogue(), package_file("moonshine_voice", "assets/beckett.wav")]
    found = []
    for path in paths:
        if path.exists():
            wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
            mono = soxr.resample(wave.mean(axis=1), rate, SAMPLE_RATE)
            found.append(np.asarray(mono / np.sqrt(np.mean(mono**2)) * 0.1, np.float32))
    return found


def turns(seconds: float, random: np.random.Generator, overlap: float) -> tuple[Wave, Wave]:
    """Two voices that take turns of 1 to 8 s; of each turn a share begins before the other has ended."""
    length = round(seconds * SAMPLE_RATE)
    first, second = (voices()[k] for k in random.permutation(2))
    waves = [np.resize(np.roll(wave, random.integers(len(wave))), length).copy() for wave in (first, second)]
    masks = [np.zeros(length, bool), np.zeros(length, bool)]
    place, who = 0, 0
    while place < length:
        turn = round(random.uniform(1, 8) * SAMPLE_RATE)
        masks[who][place : place + turn] = True
        place += round(turn * (1 - random.uniform(0, 2 * overlap)))
        who = 1 - who
    return waves[0] * masks[0], waves[1] * masks[1]


def noise_like(wave: Wave, random: np.random.Generator, level: float) -> Wave:
    return np.asarray(random.normal(size=len(wave)) * level, np.float32)


def reverberation(random: np.random.Generator) -> Wave:
    tail = random.normal(size=SAMPLE_RATE // 2) * np.exp(-np.arange(SAMPLE_RATE // 2) / (0.08 * SAMPLE_RATE))
    tail *= 0.05
    tail[random.integers(0, 30)] += 1
    return np.asarray(tail, np.float32)


def music(seconds: float, random: np.random.Generator) -> Wave:
    """Chords of decaying notes, each panned to its own place."""
    length = round(seconds * SAMPLE_RATE)
    both = np.zeros((2, length), np.float32)
    for start in np.arange(0, seconds - 2, 0.4):
        for _ in range(3):
            time = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
            note = np.sin(2 * np.pi * 110 * 2 ** (random.integers(0, 36) / 12) * time) * np.exp(-time * 3)
            pan, first = random.uniform(0, 1), round(start * SAMPLE_RATE)
            both[:, first : first + len(note)] += np.outer([np.cos(pan * np.pi / 2), np.sin(pan * np.pi / 2)], note)
    return both * 0.1


def dialogues(seconds: float) -> Iterator[tuple[str, np.ndarray]]:
    """Stereo that should be split, with its kind."""
    for leak, snr, gain in itertools.product([-99, -40, -30, -25, -20, -15, -10], [50, 30, 20], [0, -15]):
        for seed in range(REPEATS):
            random = np.random.default_rng(seed)
            left, right = turns(seconds, random, overlap=0.1)
            share = 10 ** (leak / 20)
            both = np.stack([left + share * right, right + share * left])
            both += np.stack([noise_like(left, random, 0.1 * 10 ** (-snr / 20)) for _ in range(2)])
            both[1] *= 10 ** (gain / 20)
            yield f"leak {leak if leak > -99 else 'none'} dB, noise {-snr} dB", both


def others(seconds: float) -> Iterator[tuple[str, np.ndarray]]:
    """Stereo that should not, with its kind."""
    for seed in range(REPEATS):
        random = np.random.default_rng(100 + seed)
        left, right = turns(seconds, random, overlap=0.1)
        alone = left + right
        hiss = [noise_like(left, random, 0.002) for _ in range(2)]
        yield "the same on both", np.stack([alone, alone])
        yield "one channel silent", np.stack([alone, 0 * alone])
        yield "one channel noise", np.stack([alone + hiss[0], hiss[1]])
        yield "one speaker, second channel is leak at -20 dB", np.stack([alone, 0.1 * alone]) + hiss
        yield (
            "two microphones in a room",
            np.stack(
                [sum(fftconvolve(wave, reverberation(random))[: len(wave)] for wave in (left, right)) for _ in range(2)]
            ),
        )
        for pan in (0.25, 0.5, 0.7):
            low = (1 - pan) / (1 + pan)
            yield f"voices panned by {pan:.2f}", np.stack([left + low * right, right + low * left])
        tune = music(seconds, random)
        yield "music", tune
        yield "speech in the middle of music", tune + alone * 0.7
        yield "left upside down", np.stack([alone, -alone])


def is_split(both: np.ndarray, rate: int = SAMPLE_RATE) -> bool:
    """The decision, from blocks of a second."""
    separation = Separation()
    for start in range(0, both.shape[1], rate):
        separation.feed(both[:, start : start + rate].astype(np.float32), rate)
    return separation.is_clear


def table(cases: Iterator[tuple[str, np.ndarray]]) -> None:
    found: dict[str, list[bool]] = {}
    for kind, both in cases:
        found.setdefault(kind, []).append(is_split(both))
    for kind, split in found.items():
        print(f"| {kind} | {len(split)} | {sum(split)} |")


def real(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The stereo files that libsndfile reads."""
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in {".wav", ".flac", ".ogg", ".mp3"}:
            wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
            if wave.shape[1] == 2:
                yield "real stereo", soxr.resample(wave, rate, SAMPLE_RATE).T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--real", type=Path)
    args = parser.parse_args()
    print("| should be split | files | split |\n|---|--:|--:|")
    table(dialogues(args.seconds))
    print("\n| should not be split | files | split |\n|---|--:|--:|")
    table(others(args.seconds))
    if args.real:
        table(real(args.real))


if __name__ == "__main__":
    main()
