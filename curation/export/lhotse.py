"""lhotse: a CutSet beside audio files, or Shar: cuts and audio in parts that are read from end to end.

An alignment of lhotse has the duration of a word where ours has its end. What is not lhotse's own is in `custom`.
"""

import gzip
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from curation.audio.wave import SAMPLE_RATE
from curation.export.corpus import Utterance
from curation.export.folder import Folder, json_line
from curation.export.shards import Job, tar_file, word_times

PLACEHOLDER = {"type": "shar", "channels": [0], "source": ""}


def write(job: Job) -> None:
    """`cuts.jsonl.gz` and `audio/`; its paths are relative to the folder, from which lhotse has to run."""
    with zipped(job.folder, "cuts.jsonl.gz") as cuts:
        for one, name in job.in_files():
            cuts.write(json_line(cut(one, {"type": "file", "channels": [0], "source": name})))


def write_shar(job: Job) -> None:
    """`shar/cuts.000000.jsonl.gz`, `shar/recording.000000.tar`, and so on: lhotse takes any other file for a field."""
    for part, utterances in job.parts():
        with (
            zipped(job.folder, f"shar/cuts.{part:06d}.jsonl.gz") as cuts,
            tar_file(job.folder, f"shar/recording.{part:06d}.tar") as tar,
        ):
            for one in utterances:
                cuts.write(json_line(cut(one, PLACEHOLDER)))
                tar.add(f"{one.key}.{job.suffix}", job.audio(one))
                tar.add(f"{one.key}.json", json_line(recording(one, PLACEHOLDER)))


@contextmanager
def zipped(folder: Folder, name: str) -> Iterator[BinaryIO]:
    """A gzip file that holds neither time nor name."""
    with folder.open(name) as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        yield cast("BinaryIO", packed)


def recording(one: Utterance, source: Mapping[str, Any]) -> dict[str, Any]:
    """The utterance as a recording of lhotse."""
    return {
        "id": one.key,
        "sources": [source],
        "sampling_rate": SAMPLE_RATE,
        "num_samples": one.samples,
        "duration": one.seconds,
        "channel_ids": [0],
    }


def cut(one: Utterance, source: Mapping[str, Any]) -> dict[str, Any]:
    """The utterance as a cut of lhotse with one supervision."""
    words = [[text, start, round(end - start, 4), score] for text, start, end, score in word_times(one)]
    custom = {name: one.row[name] for name in ("recording_id", "start", "end", "pwer", "confidence", "voice_id")}
    supervision = {
        "id": one.key,
        "recording_id": one.key,
        "start": 0,
        "duration": one.seconds,
        "channel": 0,
        "text": one.text,
        **({"language": one.row["language"]} if one.row["language"] else {}),
        "speaker": one.row["speaker"],
        "custom": {name: value for name, value in custom.items() if value is not None},
        **({"alignment": {"word": words}} if words else {}),
    }
    return {
        "id": one.key,
        "start": 0,
        "duration": one.seconds,
        "channel": 0,
        "supervisions": [supervision],
        "recording": recording(one, source),
        "type": "MonoCut",
    }
