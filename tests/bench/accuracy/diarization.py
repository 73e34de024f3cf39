"""How pure the utterances are that diarization passes on: `python -m tests.bench.accuracy.diarization [options]`.

    --recordings FOLDER   audio files and `reference.rttm`, who speaks when; several times for several folders
    --voices FOLDER       recordings of one voice each, that conversations are mixed from beside the packaged ones
    --set KEY=VALUE       settings of the stage, e.g. max_overlap=1 (all thresholds of its scores count)

One line for each set: seconds passed on; of these the share in which two or more people speak (cross-talk), and in
which somebody else than the main speaker of the utterance speaks alone; the share of the reference's single-speaker
speech that is found (recall); and label purity: seconds whose main speaker is the main speaker of their label in the
recording. Then the diarization error rate of pyannote.metrics, without collar and with overlap scored, of all segments
with a speaker (cross-talk is left out on purpose and counts as missed), the same where one person speaks, and CPU
seconds of one thread per second. The sets: each folder, pyannote's telephone sample, and
conversations of the packaged voices.
"""

import argparse
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.settings import extra_of
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.stage import Diarize
from tests.bench.inputs import conversations
from tests.bench.inputs.conversations import Turns
from tests.support.real_speech import BECKETT, SAMPLE, recording, wave

SEEDS = range(6)


@dataclass
class Case:
    """A recording, who speaks when, and what the stage made of it."""

    wave: Wave
    truth: Turns
    passed: Turns
    found: Turns
    seconds: float = 0.0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=Path, action="append", default=[])
    parser.add_argument("--voices", type=Path)
    parser.add_argument("--set", action="append", default=[])
    chosen = parser.parse_args()
    stage = Diarize(
        DiarizeConfig(**{key: yaml.safe_load(value) for key, _, value in (s.partition("=") for s in chosen.set)})
    )
    stage.setup()
    stage.process([recording(wave(BECKETT))])  # warm up
    print("set                   s cross-talk  other recall labels    DER  alone    CPU")
    for name, items in sets(chosen.recordings, chosen.voices):
        print(f"{name:16}", line([judged(stage, samples, truth) for samples, truth in items]), flush=True)


def sets(recordings: Sequence[Path], voices: Path | None) -> Iterable[tuple[str, list[tuple[Wave, Turns]]]]:
    """Name and recordings of each set."""
    for folder in recordings:
        reference = conversations.read_rttm(folder / "reference.rttm")
        files = [file for file in sorted(folder.iterdir()) if file.stem in reference and file.suffix != ".rttm"]
        yield folder.name, [(read_wave(file), reference[file.stem]) for file in files]
    yield "telephone", [(wave(SAMPLE), conversations.sample_reference())]
    speakers = conversations.packaged_voices() | (conversations.folder_voices(voices) if voices else {})
    makers: list[tuple[str, Callable[..., tuple[Wave, Turns]]]] = [
        ("mixed turns", conversations.turns),
        ("mixed meetings", conversations.meeting),
    ]
    for name, maker in makers:
        yield name, [maker(seed, speakers) for seed in SEEDS]


def judged(stage: Diarize, samples: Wave, truth: Turns) -> Case:
    """The case of a recording."""
    row = recording(peak_normalize(samples))
    start = time.process_time()
    stage.process([row])
    seconds = time.process_time() - start
    live = [s for s in row.live_segments if not any(breaks(s.scores, rule) for rule in rules(stage.config))]
    return Case(samples, truth, turns_of(live), turns_of(s for s in row.segments if s.speaker), seconds)


def turns_of(segments: Iterable[Any]) -> Turns:
    """In seconds."""
    return [(s.start / SAMPLE_RATE, s.end / SAMPLE_RATE, s.speaker) for s in segments]


def rules(config: DiarizeConfig) -> Iterable[tuple[str, float]]:
    """Score and highest value of each threshold."""
    for name, field in type(config).model_fields.items():
        if rule := extra_of(field).get("rule"):
            yield rule["score"], getattr(config, name)


def breaks(scores: dict[str, float], rule: tuple[str, float]) -> bool:
    """Whether an utterance is rejected."""
    name, limit = rule
    return scores.get(name, -np.inf) > limit


def line(cases: Sequence[Case]) -> str:
    """The figures of a set."""
    total: Counter[str] = Counter()
    for case in cases:
        total.update(purity(case))
    kept = max(total["kept"], 1)
    shares = [
        total["crosstalk"] / kept,
        total["other"] / kept,
        total["found"] / max(total["single"], 1),
        total["pure"] / kept,
    ]
    audio = sum(len(case.wave) for case in cases) / SAMPLE_RATE
    figures = " ".join(f"{share:{width}.1%}" for share, width in zip(shares, (10, 6, 6, 6), strict=True))
    errors = f"{der(cases, alone=False):6.3f} {der(cases, alone=True):6.3f}"
    return f"{kept / 100:6.1f} {figures} {errors} {sum(case.seconds for case in cases) / audio:6.3f}"


def purity(case: Case) -> Counter[str]:
    """Frames of 10 ms: kept, of these in cross-talk and of others than the main speaker; single in the reference, and
    found of these; of the main speaker of their label.
    """
    speakers = frames(case.truth, len(case.wave) * 100 // SAMPLE_RATE + 1)
    count = np.sum(list(speakers.values()), axis=0)
    covered, total = np.zeros(len(count), bool), Counter[str]()
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for start, end, label in case.passed:
        where = slice(round(start * 100), round(end * 100))
        own = max(speakers, key=lambda name: int(speakers[name][where].sum()))
        covered[where] = True
        total["kept"] += where.stop - where.start
        total["crosstalk"] += int((count[where] >= 2).sum())
        total["other"] += int(((count[where] == 1) & ~speakers[own][where]).sum())
        labels[label][own] += where.stop - where.start
    total["single"] += int((count == 1).sum())
    total["found"] += int(((count == 1) & covered).sum())
    total["pure"] += sum(max(owners.values()) for owners in labels.values())
    return total


def frames(turns: Turns, length: int) -> dict[str, npt.NDArray[np.bool_]]:
    """Where each speaker speaks, in frames of 10 ms."""
    marked = {name: np.zeros(length, bool) for _, _, name in turns}
    for start, end, name in turns:
        marked[name][round(start * 100) : round(end * 100)] = True
    return marked


def der(cases: Sequence[Case], *, alone: bool) -> float:
    """Diarization error rate of all cases together; with `alone`, only where one person speaks."""
    metric = DiarizationErrorRate(skip_overlap=alone)
    for case in cases:
        metric(annotation(case.truth), annotation(case.found), uem=None)
    return float(abs(metric))


def annotation(turns: Turns) -> Annotation:
    """pyannote's form of a list of turns."""
    result = Annotation(uri="recording")
    for number, (start, end, speaker) in enumerate(turns):
        result[Segment(start, end), number] = speaker
    return result


if __name__ == "__main__":
    main()
