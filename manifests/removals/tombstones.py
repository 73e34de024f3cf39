"""Tombstones: what was removed from a corpus is refused when it comes again, and nobody can tell from them what it was.

`removals/tombstones.jsonl` has a line for each removed recording: a keyed hash (HMAC-SHA-256) of its id, and one of its
samples as they were decoded, so that the same audio under another name, or in another lossless container, is known.
The key, `removals/key`, is made with the first one and stays with the corpus.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Self

from curation.core.errors import DataError
from curation.core.records import Count, typed
from curation.core.storage import Storage

FOLDER = "removals"
FILE = f"{FOLDER}/tombstones.jsonl"
KEY = f"{FOLDER}/key"
REASON = "removed.tombstone"
"""Of what comes again."""
REMEDY = "restore it from a copy: without it, removed recordings would be taken for new ones"


@dataclass(frozen=True, slots=True)
class Tombstone:
    """Stands for a removed recording."""

    removal: Count
    """The generation that was without it first."""
    id: str
    pcm: str = ""
    """Empty where the label pass did not get to its samples."""


@dataclass(frozen=True)
class Tombstones:
    """Those of a corpus, with its key."""

    key: bytes = b""
    stones: Sequence[Tombstone] = ()

    @classmethod
    def read(cls, out: Storage) -> Self:
        """Those of a build; none where nothing was removed. Raises DataError where they or their key are damaged."""
        if not out.exists(KEY):
            if out.exists(FILE):
                msg = f"{out.root}/{KEY} is missing: {REMEDY}"
                raise DataError(msg)
            return cls()
        key = out.read_bytes(KEY)
        lines = out.read_bytes(FILE).decode(errors="replace").splitlines() if out.exists(FILE) else []
        try:
            return cls(key, [typed(Tombstone, json.loads(line)) for line in lines])
        except ValueError as error:
            msg = f"{out.root}/{FILE} is damaged ({error}): {REMEDY}"
            raise DataError(msg) from error

    @cached_property
    def _known(self) -> dict[str, int]:
        """The removal of each hash."""
        return {value: stone.removal for stone in self.stones for value in (stone.id, stone.pcm) if value}

    def of_id(self, identifier: str) -> int | None:
        """The removal of a recording with this id; None: there is none."""
        return self._known.get(self._hash("id", identifier)) if self._known else None

    def of_pcm(self, pcm: str) -> int | None:
        """The removal of a recording with these samples (`MediaInfo.pcm`)."""
        return self._known.get(self._hash("pcm", pcm)) if self._known and pcm else None

    def of_name(self, name: str) -> str:
        """What stands for a name that somebody asked to be removed."""
        return self._hash("name", name)

    def made(self, removal: int, recordings: Iterable[tuple[str, Iterable[str]]]) -> list[Tombstone]:
        """Those of recordings: ids, each with the samples of all its versions."""
        return [
            Tombstone(removal, self._hash("id", one), self._hash("pcm", pcm) if pcm else "")
            for one, versions in recordings
            for pcm in sorted({*versions}) or [""]
        ]

    def _hash(self, kind: str, value: str) -> str:
        return hmac.new(self.key, f"{kind}\0{value}".encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def make_key(out: Storage) -> None:
    """Make the key of a corpus that has none."""
    if not out.exists(KEY):
        out.write_if(KEY, secrets.token_hex(32).encode(), None)


def write(out: Storage, removal: int, new: Iterable[Tombstone]) -> None:
    """Put the tombstones of a removal in place of those that it has; repeated, it changes nothing."""
    others = [stone for stone in Tombstones.read(out).stones if stone.removal != removal]
    lines = [json.dumps(asdict(stone), sort_keys=True) for stone in (*others, *new)]
    out.write_bytes(FILE, "".join(f"{line}\n" for line in lines).encode())
