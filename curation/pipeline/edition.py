"""An edition of the published corpus. A publish pass writes it beside the one that is there, and switches at its end.

The files of an edition have its number in their names. The index names those that are the corpus: it is replaced last,
in one step, and only then are the files of the editions before removed. Who reads through the index sees the old corpus
or the new one, whatever is killed. A finished task of a pass leaves its result in `publish/vN/`, and is not done
again when the pass goes on after a kill.

Nor does a pass that went on where its lock was lost (a machine that slept, a request that was late) spoil another one:
each has its own number, for which the first to write its record gets it; it removes files of lower numbers only, and
only after its switch; and the index is replaced only where it is still the one that was there when the pass began.
(That the store does not write otherwise, `Storage.write_if`, is so on S3; on a local folder the lock itself is exact.)
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, Self

from pydantic import TypeAdapter

from curation.core.errors import LockError
from curation.core.records import json_bytes, typed
from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError
from curation.manifests import index, ledger, shards
from curation.manifests.index import ShardIndex
from curation.manifests.segments import table as segments
from curation.manifests.selection import JUDGED_FOLDER, judged_folder
from curation.pipeline.job import Result, Task

FOLDER = "publish"
PUBLISHED = (ledger.FOLDER, segments.FOLDER, shards.FOLDER)
"""Folders with files of an edition."""
REMEDY = "remove it and run the same command again"


@dataclass(frozen=True, slots=True)
class _Started:
    """What is remembered of a pass: what its edition is made of."""

    key: str


@dataclass(frozen=True)
class Edition:
    """The edition that a publish pass makes."""

    out: Storage
    number: int
    replaces: str | None = None
    """Version of the index when the pass began; None where there was none."""

    @classmethod
    def begin(cls, out: Storage, made_of: Any) -> Self:
        """A new edition, or the one that an interrupted pass left, if that was made of the same (JSON values).

        Raises LockError where another build begins one at the same time.
        """
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        try:
            replaces = out.read_version(index.FILE)[1]
        except FileNotFoundError:
            replaces = None
        latest = max(map(_pass_number, out.names(FOLDER)), default=0)
        if latest and out.exists(_record(latest)):
            started = out.read_record(_record(latest), lambda values: typed(_Started, values), REMEDY)
            if started.key == key:
                return cls(out, latest, replaces)
        files = [_number(name) for folder in PUBLISHED for name in out.names(folder)]
        new = cls(out, 1 + max([latest, *files]), replaces)
        new._write_alone(_record(new.number), asdict(_Started(key)), None)
        return new

    def switch(self, new: ShardIndex) -> None:
        """Make this edition the corpus, and remove the files of those before.

        Raises LockError where another build has replaced the index since this pass began: its corpus stays.
        """
        self._write_alone(index.FILE, new.to_json(), self.replaces)
        for folder in PUBLISHED:
            for name in self.out.names(folder):
                if 0 < _number(name) < self.number:
                    self.out.remove(f"{folder}/{name}")

    def end(self) -> None:
        """The pass is done: nothing of it, nor of those before, has to be remembered."""
        numbers = {_pass_number(name) for folder in (FOLDER, JUDGED_FOLDER) for name in self.out.names(folder)}
        for number in sorted(numbers & set(range(1, self.number + 1))):  # the latest last: it is the one that can go on
            self.out.remove(_record(number))
            self.out.remove_folder(_folder(number))
            self.out.remove_folder(judged_folder(number))
        self.out.remove_if_empty(FOLDER)
        self.out.remove_if_empty(JUDGED_FOLDER)

    def _write_alone(self, name: str, values: Any, version: str | None) -> None:
        try:
            self.out.write_if(name, json_bytes(values), version)
        except ChangedError as error:
            msg = f"{self.out.root}/{name} was written by another build meanwhile: this build ends here"
            raise LockError(msg) from error


class Once(Generic[Task, Result]):
    """Does each task of a pass once: where its result is there from a run that was killed, it is read.

    The worker is made for the first task that has to be done.
    """

    def __init__(
        self, edition: Edition, make_worker: Callable[[], Callable[[Task], Result]], result: type[Result]
    ) -> None:
        self._edition = edition
        self._make_worker = make_worker
        self._results = TypeAdapter(result)
        self._worker: Callable[[Task], Result] | None = None

    def __call__(self, task: Task) -> Result:
        """The result of the task."""
        out, file = self._edition.out, f"{_folder(self._edition.number)}/{task.name}.json"
        try:
            return out.read_record(file, self._results.validate_python, REMEDY)
        except FileNotFoundError:
            self._worker = self._worker or self._make_worker()
        result = self._worker(task)
        out.write_json(file, self._results.dump_python(result, mode="json"))
        return result


def _record(number: int) -> str:
    """The file that says what a pass makes."""
    return f"{_folder(number)}/pass.json"


def _folder(number: int) -> str:
    """Where a pass keeps the results of its tasks."""
    return f"{FOLDER}/v{number}"


def _pass_number(name: str) -> int:
    """The edition of a folder of a pass, by its name; 0 for one of another kind."""
    found = re.fullmatch(r"v(\d+)", name)
    return int(found[1]) if found else 0


def _number(name: str) -> int:
    """The edition of a file, by its name; 0 for a file of another kind."""
    found = re.fullmatch(r"part-.*?(?:-v(\d+))?\.parquet", name)
    return int(found[1] or 1) if found else 0
