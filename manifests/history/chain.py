"""The generations of a corpus: a copy of the index of each, `generations/NNNNNN.json`, which is never changed.

An index names the hash of the one before it, so that all of them together are a chain, and `shards/_index.json` is its
end. A generation that only added files shares the others with the one before, and both can be read; `corpus@2` is the
second. One that rewrote shards (other thresholds, `curation compact`, a removal) leaves none before it to be read.
"""

import posixpath
import re
from dataclasses import dataclass

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests import index
from curation.manifests.index import ShardIndex, read_index

FOLDER = "generations"
LABELLING = "-labelling"
"""The kind of file with the cost of the label pass (`summary.Labelling`), of the latest generation only."""


def file_name(number: int, kind: str = "") -> str:
    """The copy of the index of a generation, or its file of another kind."""
    return f"{FOLDER}/{number:06d}{kind}.json"


def parsed(name: str) -> tuple[int, str]:
    """Number and kind of a file of the folder; 0 for one that is none of ours."""
    found = re.fullmatch(r"(\d{6,})([a-z-]*)\.json", name)
    return (int(found[1]), found[2]) if found else (0, "")


@dataclass(frozen=True, slots=True)
class Located:
    """An index that was found: the storage and the folder in it that has the shards."""

    storage: Storage
    folder: str
    index: ShardIndex


def locate(location: str) -> Located:
    """The index of a build's folder, of its folder `shards`, or of one of its generations (`corpus@2`).

    Raises DataError where there is none.
    """
    found = _latest(location.rstrip("/"))
    if found is not None:
        return found
    wanted = re.fullmatch(r"(.+)@(\d+)", location.rstrip("/"))
    latest = _latest(wanted[1]) if wanted else None
    if wanted is None or latest is None:
        msg = f"{location}: no {index.FILE} or _index.json: give the folder of a finished build, or its shards"
        raise DataError(msg)
    return at_generation(latest, int(wanted[2]))


def readable(corpus: ShardIndex) -> list[int]:
    """The generations of which all shards are still there, latest first."""
    found: list[int] = []
    for generation in reversed(corpus.generations):
        found.append(generation.number)
        if generation.rewrites:
            break
    return found


def at_generation(latest: Located, number: int) -> Located:
    """A generation of a corpus, of which the latest was found. Raises DataError where it cannot be read any more."""
    where, there = latest.storage.root, readable(latest.index)
    if number not in there:
        was = any(item.number == number for item in latest.index.generations)
        why = f"its files are gone since generation {there[-1]}" if was else "there is none"
        msg = f"{where}: generation {number} cannot be read, {why}: take {' or '.join(map(str, there)) or 'the latest'}"
        raise DataError(msg)
    if number == latest.index.edition:
        return latest
    build = latest.storage if latest.folder else Storage(posixpath.dirname(where.rstrip("/")))
    try:
        return Located(latest.storage, latest.folder, read_index(build, file_name(number)))
    except FileNotFoundError:
        msg = f"{build.root}/{file_name(number)} is missing: copy it together with the shards"
        raise DataError(msg) from None


def _latest(location: str) -> Located | None:
    storage = Storage(location)
    for name in (index.FILE, posixpath.basename(index.FILE)):
        if storage.exists(name):
            return Located(storage, posixpath.dirname(name), read_index(storage, name))
    return None
