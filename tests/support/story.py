"""One small corpus in which everything happens that a build has to tell apart, and its build with the stage `Scripted`.

Recordings in the manifest's order, by id:

    still     noise without a segment                     raises    a stage breaks on it
    ann       8 kHz, manifest speaker, transcript,        absent    there is no such file
              extra columns                               silent    digital silence
    duo       44.1 kHz FLAC, two speakers, manifest: Ann  long      two spans; the labels of its voices change places
    refused   one utterance for each reason to reject     unsure    a score is missing; a stage failed; no audio
    tokyo     Chinese, and a speaker called S0 again
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from curation.manifests.summary import Summary
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.run import build
from tests.support.scripted import noise, out_of_it, samples, scripted_stages, utterance, write_corpus

NOTHING = np.zeros(0)
EXTRA = {"year": 1811, "note": "Überraschung — 東京", "tags": ["a", {"b": None}]}
DETAIL = "ValueError: too many words"
ALONE = {"transcribe.systems": 1.0, "pwer": None, "consensus.self_inconsistency": 0.0625}
"""Scores of an utterance that one system transcribed."""
REFUSED = [
    ("boundary.max_cut", utterance(0.5, 1.0, scores={"boundary.cut": 0.9375})),
    ("transcribe.min_independent", utterance(1.0, 1.5, scores=ALONE)),
    ("consensus.min_words", utterance(1.5, 2.0, text="", scores={"text.words": 0.0, "pwer": 0.0})),
    ("consensus.max_pwer", utterance(2.0, 2.5, scores={"pwer": 0.15})),
    # The first rule that is broken is the reason: a cut word explains why the systems disagree.
    ("boundary.max_cut", utterance(2.5, 3.0, scores={"boundary.cut": 0.9375, "transcribe.systems": 1.0, "pwer": 0.5})),
    ("transcribe.min_independent", utterance(3.0, 3.5, scores={**ALONE, "text.words": 0.0, "pwer": 0.5})),
    ("consensus.min_words", utterance(3.5, 4.0, scores={"text.words": 0.0, "pwer": 0.5})),
    ("diarize.min_seconds", out_of_it(4.0, 4.25, "rejected", "diarize.min_seconds", 0.25, 1.0)),
    ("diarize.exclude_overlap", out_of_it(4.25, 4.5, "rejected", "diarize.exclude_overlap", speaker="")),
]
"""Utterances of the recording `refused`, each with the reason that the ledger has to give."""

RECORDINGS: dict[str, tuple[np.ndarray, int, dict[str, Any]]] = {
    "still.wav": (noise(1.0), 16_000, {"id": "still"}),
    "ann.wav": (
        noise(4.0, 8_000),
        8_000,
        {
            "id": "ann",
            "speaker": "Ann",
            "language": "en",
            "transcript": "Sense, and Sensibility — by Jane Austen",
            **EXTRA,
            "segments": [
                utterance(
                    0.5,
                    1.5,
                    "Sense, and",
                    words=[("Sense,", 0.5, 1.0), ("and", 1.125, 1.5)],
                    heard=[("one", "sense and"), ("two", "since and")],
                    edits=[("insert", " ", ", ", 0, 125.0)],
                    notes={"denoise.chosen": "none"},
                    voice=30.0,
                ),
                utterance(2.0, 3.25, "Sensibility", voice=120.0, scores={"pwer": 0.125}),
            ],
        },
    ),
    "duo.flac": (
        noise(3.0, 44_100),
        44_100,
        {
            "id": "duo",
            "speaker": "Ann",
            "segments": [utterance(0.25, 1.0), utterance(1.0, 2.0, speaker="S1", voice=90.0)],
        },
    ),
    "refused.wav": (noise(4.75), 16_000, {"id": "refused", "segments": [segment for _, segment in REFUSED]}),
    "tokyo.wav": (
        noise(2.0),
        16_000,
        {
            "id": "tokyo",
            "segments": [utterance(0.5, 1.5, "你好, 世界", language="zh", words=[("你好,", 0.5, 1.0)])],
        },
    ),
    "raises.wav": (noise(1.5), 16_000, {"id": "raises", "raise": "asked to"}),
    "absent.wav": (NOTHING, 16_000, {"id": "absent"}),
    "silent.wav": (np.zeros(24_000), 16_000, {"id": "silent"}),
    "long.wav": (
        noise(9.0, quiet=[4.5]),
        16_000,
        {
            "id": "long",
            "segments": [
                utterance(0.5, 2.0, voice=0.0),
                utterance(2.0, 4.0, speaker="S1", voice=90.0),
                utterance(5.0, 6.0, voice=60.0),
                utterance(6.0, 7.5, speaker="S1", voice=30.0),
            ],
        },
    ),
    "unsure.wav": (
        noise(3.0),
        16_000,
        {
            "id": "unsure",
            "segments": [
                utterance(0.5, 1.0, scores={"pwer": None}),
                out_of_it(1.0, 1.5, "failed", "transcribe", None, None, DETAIL),
                utterance(1.5, 2.0, audio=False),
                utterance(2.0, 2.5),
            ],
        },
    ),
}
KEPT = ["ann-0", "ann-1", "duo-0", "duo-1", "long-0", "long-1", "long-2", "long-3", "tokyo-0", "unsure-3"]
"""Recording and number of the utterance of all that the default thresholds and the tokenizers let through, in order."""
SCRIPTS = {columns["id"]: columns.get("segments", []) for _, _, columns in RECORDINGS.values()}


def script(name: str) -> dict[str, Any]:
    """What the manifest says of an utterance of `KEPT`."""
    recording, number = name.split("-")
    row: dict[str, Any] = SCRIPTS[recording][int(number)]
    return row


def story_config(*overrides: str) -> BuildConfig:
    """In this process, compact tokenizers, spans of 5 s at most, two systems at least."""
    small = ["unit_files=3", "batch_seconds=8", "runtime=in-process"]
    spans = ["decode.max_span_seconds=5", "decode.span_search_seconds=1"]
    own = [
        "transcribe.min_independent=2",
        *(f"engine.{setting}" for setting in small),
        *spans,
    ]
    return load_config(overrides=[*own, *overrides])


def story_build(folder: Path, *overrides: str, **options: Any) -> Summary:
    """Build `folder`/in, which is written where it is not there yet, into `folder`/out."""
    manifest = folder / "in/manifest.jsonl"
    if not manifest.exists():
        write_corpus(manifest.parent, RECORDINGS)
    return build(story_config(*overrides), [str(manifest)], str(folder / "out"), make_stages=scripted_stages, **options)


def publish_again(story: Path, folder: Path, *overrides: str) -> Path:
    """Publish a copy of the build `story`/out with other settings, without tokenizers; returns the copy."""
    out = folder / "again"
    shutil.copytree(story / "out", out)
    build(story_config("tokenize=null", *overrides), [], str(out), make_stages=scripted_stages)
    return out


def identifier(name: str) -> str:
    """The id of an utterance of `KEPT`: recording, first and last sample."""
    recording, row = name.split("-", maxsplit=1)[0], script(name)
    return f"{recording}-{samples(row['start']):010d}-{samples(row['end']):010d}"
