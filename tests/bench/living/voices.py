"""How well are voices found in other recordings? `python -m tests.bench.living.voices FOLDER... [--seconds 10]`

A FOLDER has recordings and `reference.rttm`, who speaks when, with names that mean the same person in every file; or
`manifest.jsonl` of clips of one person each, all different. The LibriVox sentences of the tests, one person, are added.
Recordings are cut into pieces of `--seconds`, which count as recordings; of each piece and person the stretches of a
second and more in which nobody else speaks are embedded as the build does, and averaged. Printed: the equal error rate
of all pairs of speakers in different recordings, and of those in different files; and for each threshold the voices
that `find_voices` would give, in blocks of `--block`: purity (share of the speakers that belong to the person with most
speakers of the voice), its inverse (of the voice with most speakers of the person), and how many voices there are.
"""

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.living.voices import blocks
from curation.manifests.speakers import unit
from curation.manifests.voices.clusters import Speaker, Voices
from curation.stages.diarize.campplus.encoder import load_encoder
from tests.bench.inputs.conversations import Turns, read_rttm
from tests.support.real_speech import LIBRIVOX

THRESHOLDS = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8)
LEAST = 1.0
"""Seconds of a stretch."""


@dataclass(frozen=True, slots=True)
class Known:
    """A speaker of a piece, and who that is."""

    speaker: Speaker
    person: str
    file: str


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--block", type=int, default=8)
    chosen = parser.parse_args()
    encoder = load_encoder("campplus")
    found: list[Known] = []
    for name, wave, turns in recordings(chosen.folders):
        for start in np.arange(0, len(wave) / SAMPLE_RATE - LEAST, chosen.seconds):
            stretches = alone(turns, float(start), float(start) + chosen.seconds)
            recording = f"{name}-{start:04.0f}"
            for place, (person, parts) in enumerate(sorted(stretches.items())):
                waves = [wave[round(a * SAMPLE_RATE) : round(b * SAMPLE_RATE)] for a, b in parts]
                sums = sum(len(w) / SAMPLE_RATE * e for w, e in zip(waves, encoder.embed(waves), strict=True))
                found.append(Known(Speaker(recording, f"S{place}", "", np.asarray(sums, np.float64)), person, name))
    people = Counter(one.person for one in found)
    print(f"{len(found)} speakers in {len({one.speaker.recording for one in found})} pieces; {len(people)} people\n")
    print_rates(found)
    print_voices(found, chosen.block)


def recordings(folders: Sequence[Path]) -> Iterator[tuple[str, Wave, Turns]]:
    """Name, wave and who speaks when."""
    for number, path in enumerate(LIBRIVOX):
        wave = peak_normalize(read_wave(path))
        yield f"librivox-{number}", wave, [(0.0, len(wave) / SAMPLE_RATE, "LibriVox")]
    for folder in folders:
        if (folder / "reference.rttm").exists():
            truth = read_rttm(folder / "reference.rttm")
            for file in sorted(file for file in folder.iterdir() if file.stem in truth and file.suffix != ".rttm"):
                yield file.stem, peak_normalize(read_wave(file)), truth[file.stem]
        else:
            for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
                file = folder / json.loads(line)["path"]
                wave = peak_normalize(read_wave(file))
                yield file.stem, wave, [(0.0, len(wave) / SAMPLE_RATE, file.stem)]


def alone(turns: Turns, start: float, end: float) -> dict[str, list[tuple[float, float]]]:
    """Stretches of each person in start..end (s) in which nobody else speaks."""
    times = sorted({start, end, *(time for turn in turns for time in turn[:2] if start < time < end)})
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for one, two in pairwise(times):
        people = {who for begin, stop, who in turns if begin < two and stop > one}
        if len(people) == 1 and two - one >= LEAST:
            found[people.pop()].append((one, two))
    return found


def print_rates(found: Sequence[Known]) -> None:
    """The equal error rate."""
    centroids = np.stack([unit(one.speaker.embedding) for one in found])
    distance = 1 - centroids @ centroids.T
    person = np.array([one.person for one in found])
    for name, place in (
        ("recordings", [one.speaker.recording for one in found]),
        ("files", [one.file for one in found]),
    ):
        apart = np.triu(np.not_equal.outer(np.array(place), np.array(place)), 1)
        same = np.equal.outer(person, person)
        one, two = distance[apart & same], distance[apart & ~same]
        rate, at = equal_error_rate(one, two)
        pairs = f"{len(one):,} pairs of one person, {len(two):,} of two"
        print(f"in different {name}: {pairs}: equal error rate {rate:.1%} at a distance of {at:.2f}")


def equal_error_rate(one: npt.NDArray[np.float64], two: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The rate at which as many pairs of one are above a distance as pairs of two are below it, and that distance."""
    at = np.sort(np.r_[one, two])
    missed = 1 - np.searchsorted(np.sort(one), at, "left") / len(one)
    false = np.searchsorted(np.sort(two), at, "left") / len(two)
    best = int(np.abs(missed - false).argmin())
    return float(missed[best] + false[best]) / 2, float(at[best])


def print_voices(found: Sequence[Known], size: int) -> None:
    """Purity by threshold."""
    print("\n| threshold | voices | purity | inverse purity |\n|---|---|---|---|")
    person = {one.speaker.key: one.person for one in found}
    for threshold in THRESHOLDS:
        voices, numbers = Voices(), dict[tuple[str, str], int]()
        for block in blocks((one.speaker for one in found), size):
            numbers |= voices.assign(block, threshold)
        pairs = [(person[key], number) for key, number in numbers.items()]
        print(
            f"| {threshold:g} | {voices.count} | {purity((who, voice) for who, voice in pairs):.1%} | "
            f"{purity((voice, who) for who, voice in pairs):.1%} |"
        )


def purity(pairs: Iterable[tuple[object, object]]) -> float:
    """Share of the items (label, group) whose label is the most frequent of their group."""
    groups: dict[object, Counter[object]] = defaultdict(Counter)
    for label, group in pairs:
        groups[group][label] += 1
    return sum(max(counts.values()) for counts in groups.values()) / sum(map(sum, map(Counter.values, groups.values())))


if __name__ == "__main__":
    main()
