"""Stages without models, for tests of the engine: a recording is cut into loud and quiet halves of a second.

Recordings misbehave on request of their file name: `segfault`, `hang`, `memory`, `raise`, `misplace`.
"""

import ctypes
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Edit, Hypothesis, Recording, Segment, Verdict, Word
from curation.pipeline.config import BuildConfig
from curation.stages.base import Branched, Stage
from curation.stages.loudness import Loudness

BLOCK = SAMPLE_RATE // 2
LOG_VARIABLE = "CURATION_TEST_LOG"


class Cut(Stage):
    """Makes a segment of every loud half second; each fifth is overlap. Two voices take turns."""

    name = "cut"

    def process(self, batch: Sequence[Recording]) -> None:
        for recording in batch:
            assert recording.audio is not None
            for start in range(recording.offset, recording.end, BLOCK):
                end = min(start + BLOCK, recording.end)
                wave = recording.slice(start, end)
                if np.sqrt(np.mean(wave**2)) < 0.01:
                    continue
                voice = start // BLOCK % 2
                segment = Segment(start, end, speaker=f"S{(voice + recording.span) % 2}")  # labels hold for a span only
                if start // BLOCK % 5 == 4:
                    segment.verdict, segment.speaker = Verdict("rejected", "diarize.exclude_overlap"), ""
                else:
                    segment.audio = peak_normalize(wave)
                    angle = voice * np.pi / 2
                    segment.speaker_embedding = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
                recording.segments.append(segment)


class Hear(Stage):
    """Gives every segment scores and a text that depend on its samples only."""

    name = "hear"

    def process(self, batch: Sequence[Recording]) -> None:
        for recording in batch:
            for segment in recording.live_segments:
                assert segment.audio is not None
                code = int(np.abs(segment.audio).sum() * 1000)
                segment.text = f"word{code % 97}, word{code % 89}."
                segment.language = "en"
                segment.hypotheses = [Hypothesis("a", segment.text, "en", 0.5), Hypothesis("b", segment.text)]
                segment.words = [Word(f"word{code % 97},", segment.start, segment.end, 0.9)]
                segment.edits = [Edit("insert", "word", "word,", 0, 320.0)]
                segment.scores |= {
                    "boundary.cut": (code % 7) / 14,
                    "transcribe.systems": 2.0,
                    "text.words": 2.0,
                    "pwer": (code % 11) / 60,
                    "confidence": 0.9,
                }


class Choir(Branched):
    """Three voices that hear a segment each in their own way; the first says what the others sing after."""

    name = "choir"
    branches = ("mid", "high", "low")

    def setup_branch(self, name: str) -> None:
        """There are no models."""

    def branch(self, name: str, batch: Sequence[Recording]) -> list[list[str]]:
        for recording in batch:
            if name == "mid":
                recording.notes["key"] = str(len(recording.live_segments))
            if f"no-{name}" in recording.source.path:
                msg = f"{name} lost its voice"
                raise RuntimeError(msg)
        return [
            [f"{name}{recording.notes['key']} {segment.num_samples}" for segment in recording.live_segments]
            for recording in batch
        ]

    def join(self, batch: Sequence[Recording], found: Mapping[str, Sequence[list[str]]]) -> None:
        for number, recording in enumerate(batch):
            for place, segment in enumerate(recording.live_segments):
                segment.notes["choir"] = ", ".join(found[name][number][place] for name in ("low", "mid", "high"))


class Misbehave(Stage):
    """Does what the file name asks for."""

    name = "misbehave"

    def process(self, batch: Sequence[Recording]) -> None:
        for recording in batch:
            name = recording.source.path.rsplit("/", 1)[1]
            if "segfault" in name:
                ctypes.string_at(0)
            if "hang" in name:
                time.sleep(3600)
            if "memory" in name:
                hog = [np.ones(2**24) for _ in range(12)]  # 1.5 GiB
                time.sleep(3600)
                del hog
            if "misplace" in name:
                recording.segments[1].start = recording.segments[0].start
            if "raise" in name:
                msg = "asked to"
                raise RuntimeError(msg)


class Slow(Stage):
    """Takes a little time for each recording, so that there is something to interrupt."""

    name = "slow"

    def process(self, batch: Sequence[Recording]) -> None:
        time.sleep(0.05 * len(batch))
        if log := os.environ.get(LOG_VARIABLE):
            with open(log, "a") as file:  # noqa: PTH123 - one short line is appended as one write
                file.writelines(f"{recording.source.id}\n" for recording in batch)


def toy_stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Cut(), Misbehave(), Hear()]


def slow_toy_stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Cut(), Slow(), Hear()]


def choir_stages(config: BuildConfig) -> list[Stage]:
    return [Loudness(config.loudness), Cut(), Choir(), Misbehave(), Hear()]
