"""Emilia: JSON lines beside audio files. `dnsmos` is the overall score, null where it was not measured."""

from typing import Any

from curation.export.corpus import Utterance
from curation.export.folder import json_line
from curation.export.shards import Job

DNSMOS = "quality.dnsmos.ovrl"


def write(job: Job) -> None:
    """`train.jsonl` and `audio/`; its paths are relative to the folder."""
    with job.folder.open("train.jsonl") as manifest:
        for one, name in job.in_files():
            manifest.write(json_line(entry(one, name)))


def entry(one: Utterance, name: str) -> dict[str, Any]:
    """A row."""
    scores = {score["name"]: score["value"] for score in one.row["scores"] or ()}
    return {
        "id": one.key,
        "wav": name,
        "text": one.text,
        "duration": one.seconds,
        "speaker": one.row["speaker"],
        **({"voice_id": one.row["voice_id"]} if one.row["voice_id"] else {}),
        "language": one.row["language"] or None,
        "dnsmos": scores.get(DNSMOS),
    }
