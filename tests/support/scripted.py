"""A corpus whose manifest says what the label pass makes of it, so that a test knows what a build has to publish.

`write_corpus` writes recordings and a manifest; the manifest's column `segments` lists the utterances of each
recording with their verdicts, scores and texts, and the stage `Scripted` plays them. Decoding, planning, staging,
publishing and tokenizing are those of every build.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Edit, Hypothesis, Recording, Segment, Verdict, Word
from curation.pipeline.config import BuildConfig
from curation.stages.base import Stage

GOOD = {
    "boundary.cut": 0.125,
    "transcribe.systems": 3.0,
    "text.words": 2.0,
    "pwer": 0.0625,
    "confidence": 0.75,
    "confidence.calibrated": 0.875,
}
"""Scores of an utterance that no threshold rejects."""


class Scripted(Stage):
    """Makes the segments that the manifest asks for, where they begin in the span at hand."""

    name = "scripted"

    def process(self, batch: Sequence[Recording]) -> None:
        for recording in batch:
            if recording.source.extra.get("raise"):
                raise RuntimeError(recording.source.extra["raise"])
            recording.scores["recording.level"] = -20.0
            recording.notes["recording.kind"] = "scripted"
            for row in recording.source.extra["segments"]:
                if recording.offset <= samples(row["start"]) < recording.end:
                    recording.segments.append(_segment(row, recording))


def scripted_stages(config: BuildConfig) -> list[Stage]:
    return [Scripted()]


def samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE)


def _segment(row: dict[str, Any], recording: Recording) -> Segment:
    segment = Segment(samples(row["start"]), samples(row["end"]), speaker=row["speaker"], scores=dict(row["scores"]))
    if "verdict" in row:
        segment.verdict = Verdict(*row["verdict"])
        return segment
    if row["audio"]:
        segment.audio = peak_normalize(recording.slice(segment.start, segment.end))
    angle = np.radians(row["voice"])
    segment.speaker_embedding = np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)
    segment.text, segment.language = row["text"], row["language"]
    segment.words = [Word(text, samples(start), samples(end), 0.5) for text, start, end in row["words"]]
    segment.hypotheses = [
        Hypothesis(system, text, row["language"], 0.5, scores={"no_speech": 0.25}) for system, text in row["heard"]
    ]
    segment.edits = [Edit(*edit) for edit in row["edits"]]
    segment.notes = dict(row["notes"])
    return segment


def utterance(start: float, end: float, text: str = "one two", **changes: Any) -> dict[str, Any]:
    """An utterance of the script, in seconds of the recording: kept, unless `changes` say something else.

    `scores` are changes to `GOOD`; a score that is None is left out. `voice` is the angle of the embedding in degrees.
    Without `audio` nothing is left in staging that could be encoded.
    """
    scores = {name: value for name, value in {**GOOD, **changes.pop("scores", {})}.items() if value is not None}
    row = {"start": start, "end": end, "speaker": "S0", "voice": 0.0, "language": "en", "text": text, "scores": scores}
    words = [(word, start, end) for word in text.split()]
    return {
        **row,
        "words": words,
        "heard": [("one", text), ("two", text)],
        "edits": [],
        "notes": {},
        "audio": True,
        **changes,
    }


def out_of_it(start: float, end: float, status: str, *why: Any, speaker: str = "S0") -> dict[str, Any]:
    """A segment that has its verdict before the thresholds: status, reason, value, threshold, detail."""
    return {"start": start, "end": end, "speaker": speaker, "scores": {}, "verdict": [status, *why]}


def noise(seconds: float, rate: int = SAMPLE_RATE, quiet: Sequence[float] = (), seed: int = 0) -> np.ndarray:
    """Noise with 100 ms of silence around each of the times `quiet`; another length or seed is another noise."""
    wave = np.random.default_rng(round(seconds * 1000) + 1_000_000 * seed).uniform(-0.3, 0.3, round(seconds * rate))
    for time in quiet:
        wave[round((time - 0.05) * rate) : round((time + 0.05) * rate)] = 0.0
    return wave


def write_corpus(folder: Path, recordings: dict[str, tuple[np.ndarray, int, dict[str, Any]]]) -> Path:
    """Write each recording, (samples,) at a rate, and its columns of the manifest; returns the manifest.

    The key is the file's name. A recording without samples is listed, but is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (wave, rate, columns) in recordings.items():
        if len(wave):
            soundfile.write(folder / name, wave, rate, subtype="PCM_16")
        rows.append({"path": name, "segments": [], **columns})
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return manifest
