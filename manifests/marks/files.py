"""What people said of utterances: `marks/marks-NNN.jsonl`, one file for each import; none is ever changed.

A mark names an utterance and the text that its author saw; a retraction undoes what was said before it.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from curation.core.errors import DataError
from curation.core.records import Finite, typed
from curation.core.storage import Storage

FOLDER = "marks"
REMEDY = "correct the line, or remove it"
Kind = Literal["text", "reject", "accept", "speaker", "language", "boundary", "retract"]
Found = Literal["random", "sorted", "searched", "filtered", "picked", "linked"]
"""How an utterance was come to: only in the random order of a sample is it drawn. By another order, by words or names,
by what it shows or by its link it was chosen."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """From which stratum of a sample an utterance was drawn, and for how many it stands."""

    stratum: str
    weight: Annotated[Finite, Field(gt=0)]
    size: Annotated[int, Field(gt=0)] | None = None
    """Of the stratum: what was heard of it stands for all, however much of the sample that is. None: not known."""


def stand_for(heard: Sequence[Drawn]) -> list[float]:
    """For how many utterances each stands of those that were heard of a sample: the size of its stratum by the number
    heard of it. Where that size is not known, the weight with which it was drawn, as if all that was drawn were heard.
    """
    counts = Counter(drawn.stratum for drawn in heard)
    return [drawn.weight if drawn.size is None else drawn.size / counts[drawn.stratum] for drawn in heard]


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody said of an utterance."""

    id: Annotated[str, Field(min_length=1)]
    kind: Kind
    v: Literal[1] = 1
    corpus: str = ""
    """SHA-256 of the index of the corpus that was looked at."""
    verdict: Literal["wrong", "right", ""] = ""
    text: str | None = None
    """The right text, where one was written."""
    text_seen: str = ""
    """`digest` of the text that was seen."""
    tags: tuple[str, ...] = ()
    by: str = ""
    at: str = ""
    sample: Drawn | None = None
    """None: it is of no sample, and says nothing of other utterances."""
    found: Found = "random"
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "tags": list(self.tags)}

    @property
    def drawn(self) -> Drawn | None:
        """The draw for which it stands; None where the utterance was chosen."""
        return self.sample if self.found == "random" else None

    @property
    def is_right(self) -> bool:
        """Whether it says what the right text is: the one that was seen, or another."""
        return self.verdict == "right" or bool(self.text)

    @property
    def said(self) -> tuple[str, str | None]:
        """What two marks of one kind and utterance have in common where they agree."""
        return self.verdict, self.text


def digest(text: str | None) -> str:
    """What a mark says of the text that was seen; no text is as an empty one."""
    return "sha256:" + hashlib.sha256((text or "").encode(errors="surrogatepass")).hexdigest()


def parse(lines: Iterable[str], where: str) -> Iterator[Mark]:
    """Marks of a file. Raises DataError, which names the line, for what is none."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield typed(Mark, json.loads(line))
            except ValueError as error:
                msg = f"{where}, line {number}: {error}: {REMEDY}"
                raise DataError(msg) from error


def read(out: Storage) -> list[Mark]:
    """All marks of a build, in the order of their imports. Raises DataError where a file is damaged."""
    return [mark for name in out.names(FOLDER) for mark in read_file(out, name)]


def read_file(out: Storage, name: str) -> list[Mark]:
    """The marks of one import."""
    path = f"{FOLDER}/{name}"
    return [*parse(out.read_bytes(path).decode().split("\n"), f"{out.root}/{path}")]


def replace_file(out: Storage, name: str, marks: Sequence[Mark]) -> None:
    """Put others in the place of the marks of one import."""
    out.write_bytes(f"{FOLDER}/{name}", _lines(marks))


def _lines(marks: Sequence[Mark]) -> bytes:
    return "".join(f"{json.dumps(mark.to_json())}\n" for mark in marks).encode()


def add(out: Storage, marks: Sequence[Mark]) -> str:
    """Keep marks with the build, as a file of their own; returns its name."""
    name = f"marks-{len(out.names(FOLDER)) + 1:06d}.jsonl"
    out.write_if(f"{FOLDER}/{name}", _lines(marks), None)
    return name
