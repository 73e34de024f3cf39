"""An edition of the published corpus. A publish pass writes it beside the one that is there, and switches at its end.

The files of an edition have its number in their names. The index names those that are the corpus: it is replaced last,
in one step, and only then are the files of the edition before removed. Who reads through the index sees the old corpus
or the new one, whatever is killed. A finished task of a pass leaves its result in `publish/`, and is not done
again when the pass goes on after a kill.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Generic, Self

from pydantic import TypeAdapter

from curation.core.errors import DataError
from curation.core.records import Count, typed
from curation.core.storage import Storage
from curation.manifests import index, ledger, shards
from curation.manifests.index import ShardIndex, read_index
from curation.manifests.selection import JUDGED_FOLDER
from curation.pipeline.job import Result, Task

FOLDER = "publish"
FILE = f"{FOLDER}/pass.json"
REMEDY = "remove it and run the same command again"


@dataclass(frozen=True, slots=True)
class _Started:
    """What is remembered of a pass: the number of its edition, and what that is made of."""

    number: Count
    key: str


@dataclass(frozen=True)
class Edition:
    """The edition that a publish pass makes."""

    out: Storage
    number: int

    @classmethod
    def begin(cls, out: Storage, made_of: Any) -> Self:
        """A new edition, or the one that an interrupted pass left, if that was made of the same (JSON values)."""
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        if out.exists(FILE):
            started = out.read_record(FILE, lambda values: typed(_Started, values), REMEDY)
            if started.key == key:
                return cls(out, started.number)
        _forget_pass(out)
        _remove_others(out)
        numbers = [_number(name) for folder in (ledger.FOLDER, shards.FOLDER) for name in out.names(folder)]
        number = 1 + max(numbers, default=0)
        out.write_json(FILE, asdict(_Started(number, key)))
        return cls(out, number)

    def once(self, make_worker: Callable[[], Callable[[Task], Result]], result: type[Result]) -> "Once[Task, Result]":
        """A worker that does a task of this pass only where its result is not there yet."""
        return Once(self, make_worker, result)

    def switch(self, new: ShardIndex) -> None:
        """Make this edition the corpus, and remove the files of the one before."""
        self.out.write_json(index.FILE, new.to_json())
        _remove_others(self.out)

    def end(self) -> None:
        """The pass is done: nothing of it has to be remembered."""
        _forget_pass(self.out)


class Once(Generic[Task, Result]):
    """See `Edition.once`. The worker is made for the first task that has to be done."""

    def __init__(
        self, edition: Edition, make_worker: Callable[[], Callable[[Task], Result]], result: type[Result]
    ) -> None:
        self._edition = edition
        self._make_worker = make_worker
        self._results = TypeAdapter(result)
        self._worker: Callable[[Task], Result] | None = None

    def __call__(self, task: Task) -> Result:
        """The result of the task."""
        out, file = self._edition.out, f"{FOLDER}/{task.name}.json"
        try:
            return out.read_record(file, self._results.validate_python, REMEDY)
        except FileNotFoundError:
            self._worker = self._worker or self._make_worker()
        result = self._worker(task)
        out.write_json(file, self._results.dump_python(result, mode="json"))
        return result


def _forget_pass(out: Storage) -> None:
    """Remove what a pass left for its own tasks; first what says that it can go on."""
    out.remove(FILE)
    out.remove_folder(FOLDER)
    out.remove_folder(JUDGED_FOLDER)


def _remove_others(out: Storage) -> None:
    """Remove the shards and parts of the ledger that are not of the corpus that the index names."""
    try:
        current = read_index(out)
    except FileNotFoundError:
        current = ShardIndex([])
    except DataError:
        return  # what belongs to the corpus is not known; the index that replaces it will say
    if current.shards and not current.ledger:
        return  # likewise: written before the index named the ledger
    named = {f"{shards.FOLDER}/{entry.file}" for entry in current.shards}
    named |= {f"{ledger.FOLDER}/{name}" for name in current.ledger}
    for folder in (ledger.FOLDER, shards.FOLDER):
        for name in out.names(folder):
            if name.endswith(".parquet") and f"{folder}/{name}" not in named:
                out.remove(f"{folder}/{name}")


def _number(name: str) -> int:
    """The edition of a file, by its name; 0 for a file of another kind."""
    found = re.fullmatch(r"part-.*?(?:-v(\d+))?\.parquet", name)
    return int(found[1] or 1) if found else 0
