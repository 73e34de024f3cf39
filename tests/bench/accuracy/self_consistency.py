"""How well does a system judge itself by its texts at other speeds, where it alone speaks the language?

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.self_consistency FOLDER... [--utterances]

FOLDER holds a `manifest.jsonl` with `path`, `language`, `transcript` and perhaps `set` of clips of at most 27 s;
`tests.bench.inputs.voices` writes one. All are heard by Whisper base alone. Errors are counted in the units of pWER:
characters of Chinese and Japanese, words of others. Prints for each set, or language, the error rates of the text at
normal speed and of the vote over all speeds, the correlation of self-inconsistency with the errors, what is kept by
each threshold, and CPU seconds per second of audio.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rapidfuzz.distance import Levenshtein

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import Recording, Segment, Source
from curation.stages.consensus.stage import Consensus
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig
from curation.stages.transcribe.whisper import WhisperConfig
from curation.text.normalize import normalizer_for

THRESHOLDS = (0.03, 0.05, 0.08, 0.1, 0.12, 0.15, 0.2, 0.3, 10.0)


@dataclass(frozen=True)
class Clip:
    name: str
    group: str
    language: str
    reference: str
    wave: Wave


@dataclass(frozen=True)
class Heard:
    """What was heard of a clip; errors of the text at normal speed and of the vote, and units of the reference."""

    seconds: float
    inconsistency: float
    units: int
    plain: int
    voted: int


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--change", type=float, default=TranscribeConfig().speed_change)
    parser.add_argument("--utterances", action="store_true", help="one line for each clip")
    options = parser.parse_args()
    base = WhisperConfig(name="whisper-base", model="whisper-base")
    stage = Transcribe(TranscribeConfig(systems=[base], speed_change=options.change))
    stage.setup()
    clips = [clip for folder in options.folders for clip in clips_of(folder)]
    groups: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        groups[clip.group].append(clip)
    for name, group in groups.items():
        start = time.process_time()
        heard = [hear(stage, clip, show=options.utterances) for clip in group]
        seconds = sum(item.seconds for item in heard)
        print_table(name, heard, (time.process_time() - start) / seconds)


def clips_of(folder: Path) -> Iterator[Clip]:
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        group = row.get("set", row["language"])
        yield Clip(row["path"], group, row["language"], row["transcript"], read_wave(folder / row["path"]))


def hear(stage: Transcribe, clip: Clip, *, show: bool) -> Heard:
    segment = Segment(0, len(clip.wave), audio=peak_normalize(clip.wave))
    recording = Recording(Source(clip.name, clip.name, clip.language), num_samples=len(clip.wave), segments=[segment])
    stage.process([recording])
    Consensus().process([recording])
    units = normalizer_for(clip.language).units
    reference = units(clip.reference)
    plain, voted = (Levenshtein.distance(reference, units(text)) for text in (segment.hypotheses[0].text, segment.text))
    inconsistency = segment.scores["consensus.self_inconsistency"]
    if show:
        print(f"{inconsistency:.3f} {voted / len(reference):.3f} {clip.reference} | {segment.text}")
    return Heard(len(clip.wave) / SAMPLE_RATE, inconsistency, len(reference), plain, voted)


def print_table(name: str, heard: Sequence[Heard], cost: float) -> None:
    rates = [item.voted / item.units for item in heard]
    correlation = np.corrcoef([item.inconsistency for item in heard], rates)[0, 1] if len(heard) > 2 else np.nan
    total = sum(item.seconds for item in heard)
    print(f"\n**{name}**: {len(heard)} clips, {total:.0f} s, correlation {correlation:.2f}, {cost:.2f} CPU s/s\n")
    print("| below | kept clips | kept seconds | errors at normal speed | of the vote |\n|---|---|---|---|---|")
    for threshold in THRESHOLDS:
        kept = [item for item in heard if item.inconsistency < threshold]
        seconds, units = sum(item.seconds for item in kept) / total, sum(item.units for item in kept) or np.nan
        plain, voted = (sum(getattr(item, name) for item in kept) / units for name in ("plain", "voted"))
        limit = "all" if threshold >= 1 else f"{threshold:g}"
        print(f"| {limit} | {len(kept) / len(heard):.0%} | {seconds:.0%} | {plain:.1%} | {voted:.1%} |")


if __name__ == "__main__":
    main()
