"""Diarization error rate on real speech: `python -m tests.bench.accuracy.diarization`.

DER by pyannote.metrics, without collar: of the pipeline's own annotation; of the segments that the stage makes of it
(those with a speaker, kept or rejected: overlapped speech has none, and counts as missed); and of these where one
person speaks. Then the number of speakers found. Mixtures are turns of two to four real speakers with pauses and
overlaps; their reference comes from the level of each turn, so part of their DER is a different idea of where speech
ends: look at the confusion. RTF is CPU seconds of one thread per second of audio.
"""

import time
from collections.abc import Iterable

import numpy as np
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import Recording
from curation.models.store import resolve
from curation.stages.diarize.pauses import Pauses, stretches
from curation.stages.diarize.stage import Diarize
from tests.support.real_speech import BECKETT, SAMPLE, TWO_CITIES, librivox, recording, wave

Turns = Iterable[tuple[float, float, str]]


def main() -> None:
    """Print the table."""
    stage = Diarize()
    stage.setup()
    stage.process([recording(wave(BECKETT))])  # warm up
    print(f"{'recording':32} {'DER':>6} {'miss':>6} {'false':>6} {'conf':>6} {'speakers':>9} {'RTF':>6}")
    truth = annotation(sample_reference())
    show(stage, "sample", wave(SAMPLE), truth)
    for name, reference in (("beckett", BECKETT), ("two_cities", TWO_CITIES)):
        show(stage, name, wave(reference), None)
    for seed, voices in enumerate(["rc", "rb", "rca", "rcb", "rcab", "rc", "ab", "rcab"]):
        samples, turns = mixture(seed, voices)
        show(stage, f"mixture {seed} of {len(voices)}", samples, annotation(turns))


def show(stage: Diarize, name: str, samples: Wave, truth: Annotation | None) -> None:
    """One line for the pipeline's annotation, one for the stage's segments."""
    row = recording(samples)
    start = time.process_time()
    stage.process([row])
    rtf = (time.process_time() - start) / (len(samples) / SAMPLE_RATE)
    found = [(t.start / SAMPLE_RATE, t.end / SAMPLE_RATE, t.speaker) for t in stage.pipeline(samples)]
    expected = len(truth.labels()) if truth else 1
    lines = [("pipeline", found, False), ("segments", segments(row), False), ("segments, alone", segments(row), True)]
    for kind, turns, alone in lines if truth else lines[:2]:
        guess = annotation(turns)
        parts = der(truth, guess, alone=alone) if truth else ["", "", "", ""]
        numbers = " ".join(f"{part:>6}" for part in parts)
        print(f"{name:15} {kind:16} {numbers} {len(guess.labels())} of {expected:<4} {rtf:6.3f}")


def der(truth: Annotation, guess: Annotation, *, alone: bool) -> list[str]:
    """DER and its parts, in percent; with `alone`, only where one person speaks."""
    parts = DiarizationErrorRate(skip_overlap=alone)(truth, guess, detailed=True)
    keys = ("missed detection", "false alarm", "confusion")
    values = [parts["diarization error rate"], *(parts[key] / parts["total"] for key in keys)]
    return [f"{100 * value:.1f}" for value in values]


def segments(row: Recording) -> Turns:
    """What the stage holds for one speaker's speech, live or rejected; overlapped speech has no speaker."""
    return [(s.start / SAMPLE_RATE, s.end / SAMPLE_RATE, s.speaker) for s in row.segments if s.speaker]


def annotation(turns: Turns) -> Annotation:
    """pyannote's form of a list of turns (seconds)."""
    result = Annotation(uri="recording")
    for number, (start, end, speaker) in enumerate(turns):
        result[Segment(start, end), number] = speaker
    return result


def sample_reference() -> Turns:
    """The turns of pyannote's sample, from its RTTM file."""
    lines = [line.split() for line in resolve(SAMPLE).with_suffix(".rttm").read_text().splitlines()]
    return [(float(f[3]), float(f[3]) + float(f[4]), f[7]) for f in lines]


def voices() -> dict[str, list[Wave]]:
    """Stretches of single speakers: r LibriVox, c two_cities, a and b the two of the sample."""
    cities = wave(TWO_CITIES)
    clips = {"r": list(librivox()), "c": [cities[i : i + 80_000] for i in range(0, 640_000, 80_000)]}
    for key, speaker in (("a", "speaker90"), ("b", "speaker91")):
        long = [t for t in sample_reference() if t[2] == speaker and t[1] - t[0] > 2]
        clips[key] = [wave(SAMPLE)[int(t[0] * SAMPLE_RATE) : int(t[1] * SAMPLE_RATE)] for t in long]
    return clips


def mixture(seed: int, speakers: str, turns: int = 14) -> tuple[Wave, Turns]:
    """A conversation put together of real turns of 1.5 to 6 s: pauses of 0.1 to 0.8 s, overlaps in one of six."""
    rng = np.random.default_rng(seed)
    clips, mixed, truth = voices(), np.zeros(0, np.float32), []
    for number in range(turns):
        who = speakers[number % len(speakers)]
        clip = clips[who][rng.integers(len(clips[who]))]
        length = int(rng.uniform(1.5, 6) * SAMPLE_RATE)
        clip = clip[(first := rng.integers(0, max(1, len(clip) - length) + 1)) : first + length]
        clip = clip * np.float32(0.08 / np.sqrt(np.mean(np.square(clip))))
        gap = -rng.uniform(0.3, 1.2) if rng.random() < 1 / 6 else rng.uniform(0.1, 0.8)
        start = max(0, len(mixed) + int(gap * SAMPLE_RATE))
        mixed = np.pad(mixed, (0, max(0, start + len(clip) - len(mixed))))
        mixed[start : start + len(clip)] += clip
        truth += [(start / SAMPLE_RATE + a / 100, start / SAMPLE_RATE + b / 100, who) for a, b in voiced(clip)]
    mixed += rng.normal(0, 5e-4, len(mixed)).astype(np.float32)
    return np.asarray(mixed * (0.6 / np.abs(mixed).max()), dtype=np.float32), truth


def voiced(clip: Wave) -> list[tuple[int, int]]:
    """Stretches (10 ms frames) within 30 dB of the loud parts; gaps below 0.3 s are filled."""
    db = Pauses(clip).db
    silent = stretches(db < np.percentile(db, 95) - 30)
    loud = np.ones(len(db), bool)
    for start, end in silent:
        loud[start:end] = end - start < 30
    return stretches(loud)


if __name__ == "__main__":
    main()
