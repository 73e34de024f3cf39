"""Utterances in parts of nearly equal hours, and tar files of them that are always the same bytes."""

import io
import itertools
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from curation.audio.flac import decode_flac
from curation.audio.opus import encode_opus
from curation.audio.wave import SAMPLE_RATE
from curation.export.corpus import Utterance
from curation.export.folder import Folder
from curation.manifests.columns import rights

Part = tuple[int, Iterator[Utterance]]
"""Its number, from 0, and its utterances."""


@dataclass(frozen=True)
class Job:
    """What a format writes, and where."""

    folder: Folder
    utterances: Iterable[Utterance]
    count: int
    samples: int
    shard_samples: int
    """In a part, at most; an utterance is never divided."""
    suffix: str
    """Of files of audio: flac; or ogg, which holds Opus (`.opus` makes some readers look for FFmpeg)."""
    card: str
    """Markdown that says what the corpus is."""
    name: str
    """Of the corpus."""
    languages: Sequence[str]
    """Of the utterances."""
    split: str = "train"
    """Of the utterances, where all are in one; in a corpus without splits they are for training."""
    divided: Sequence["Job"] = ()
    """The same utterances split by split, for formats that have files for each."""

    def parts(self) -> Iterator[Part]:
        """The utterances in parts of nearly equal length."""
        parts = max(1, -(-self.samples // self.shard_samples))
        before = 0

        def part_of(one: Utterance) -> int:
            nonlocal before
            middle, before = before + one.samples / 2, before + one.samples
            return min(int(middle * parts / max(self.samples, 1)), parts - 1)

        for number, (_, mine) in enumerate(itertools.groupby(self.utterances, part_of)):
            yield number, mine

    def audio(self, one: Utterance) -> bytes:
        """The file of an utterance."""
        return one.audio if self.suffix == "flac" else encode_opus(decode_flac(one.audio))

    def in_files(
        self, suffix: str = "", content: Callable[[Utterance], bytes] | None = None
    ) -> Iterator[tuple[Utterance, str]]:
        """Writes the audio of each utterance into a file of its own below `audio/`, and gives both."""
        for part, utterances in self.parts():
            for one in utterances:
                name = f"audio/{part:05d}/{one.key}.{suffix or self.suffix}"
                self.folder.write(name, (content or self.audio)(one))
                yield one, name


@contextmanager
def tar_file(folder: Folder, name: str) -> Iterator["Tar"]:
    """Write a tar file."""
    with folder.open(name) as file, tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        yield Tar(tar)


@dataclass(frozen=True)
class Tar:
    """A tar file that is written; its members have no time and no owner."""

    tar: tarfile.TarFile

    def add(self, name: str, content: bytes) -> None:
        """Append a file."""
        member = tarfile.TarInfo(name)
        member.size = len(content)
        self.tar.addfile(member, io.BytesIO(content))


def word_times(one: Utterance) -> list[tuple[str, float, float, float | None]]:
    """Word, start and end (s, from the start of the utterance), and confidence; none where the words are unknown."""
    return [
        (word["text"], round(word["start"], 4), round(word["end"], 4), _rounded(word["confidence"]))
        for word in one.row["words"] or ()
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def plain(one: Utterance) -> dict[str, Any]:
    """What a JSON file beside the audio says: no tokens, no embedding, no hypotheses."""
    row = one.row
    return {
        "id": row["id"],
        "text": one.text,
        "language": row["language"] or None,
        "speaker": row["speaker"],
        "seconds": one.seconds,
        "sample_rate": SAMPLE_RATE,
        "recording_id": row["recording_id"],
        "start": row["start"],
        "end": row["end"],
        "words": [{"text": text, "start": start, "end": end} for text, start, end, _ in word_times(one)],
        "pwer": row["pwer"],
        "confidence": row["confidence"],
        **{name: row[name] for name in ("voice_id", "split", "tier", *rights.COLUMNS) if row[name]},
    }
