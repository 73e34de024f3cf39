"""An edition of the published corpus. A publish pass writes it beside the one that is there, and switches at its end.

The files of an edition have its number in their names. One that only adds recordings names the files of the edition
before too, which stay as they are (`Standing`). The index names those that are the corpus: it is replaced last,
in one step, and only then are files removed that it does not name. Who reads through the index sees the old corpus
or the new one, whatever is killed. A finished task of a pass leaves its result in `publish/vN/` (`stored`), and is not
done again when the pass goes on after a kill (`Edition.each`).

Nor does a pass that went on where its lock was lost (a machine that slept, a request that was late) spoil another one:
each has its own number, for which the first to write its record gets it; it removes files of lower numbers only, and
only after its switch; and the index is replaced only where it is still the one that was there when the pass began.
(That the store does not write otherwise, `Storage.write_if`, is so where `core.stores.conditional` knows how to ask for
it; on a local folder the lock itself is exact.)
"""

import hashlib
import itertools
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any, Self

from curation.core.errors import DataError, LockError
from curation.core.records import json_bytes, typed
from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError
from curation.manifests import index, ledger, shards
from curation.manifests.duplicates.exact import count_for_others
from curation.manifests.groups import replaced
from curation.manifests.history import chain
from curation.manifests.history.seal import sealed
from curation.manifests.index import Generation, Kind, ShardIndex, generations_of
from curation.manifests.plan import Plan
from curation.manifests.segments import table as segments
from curation.manifests.selection import JUDGED_FOLDER, judged_folder
from curation.manifests.splits.places import Splits, moved
from curation.pipeline.job import NamedTask, Result, Task

FOLDER = "publish"
PUBLISHED = (ledger.FOLDER, segments.FOLDER, shards.FOLDER)
"""Folders with files of an edition."""
ANEW = f"{FOLDER}/anew.json"
"""While it is there, nothing of the corpus stands: recordings that it has are labelled again."""
MOST_REPLACED = 2**16
"""Where as many recordings are replaced, all files are written anew."""
READERS = 16
AT_ONCE = 1024
"""Results of tasks that are in memory at once."""
REMEDY = "remove it and run the same command again"


@dataclass(frozen=True, slots=True)
class _Started:
    """What is remembered of a pass: what its edition is made of."""

    key: str


@dataclass(frozen=True)
class Standing:
    """What a publish pass leaves of the corpus that is there."""

    index: ShardIndex = field(default_factory=lambda: ShardIndex([]))
    """With its files; where all are written anew, with those only that say what was removed for good."""
    replaced: Sequence[str] = ()
    """Sorted ids of recordings that were labelled again: their rows go out of those files."""
    moved: Mapping[str, str] = field(default_factory=dict)
    """Other recordings, with the split that they are in now: their rows change."""

    @property
    def stands(self) -> bool:
        """Whether there is such a corpus."""
        return bool(self.index.made)

    @property
    def since(self) -> int:
        """The first generation of the plan that is not published yet."""
        return self.index.planned


@dataclass(frozen=True)
class Edition:
    """The edition that a publish pass makes."""

    out: Storage
    number: int
    replaces: str | None = None
    """Version of the index when the pass began; None where there was none."""
    before: str = ""
    """SHA-256 of that index."""
    generations: Sequence[Generation] = ()
    """Of that index."""
    standing: Standing = field(default_factory=Standing)
    is_published: bool = False
    """Whether it is the corpus already: there is nothing to write."""

    @classmethod
    def open(
        cls,
        out: Storage,
        planned: Plan,
        made: str,
        source: Sequence[Any],
        splits: Splits | None = None,
        *,
        compact: bool = False,
    ) -> Self:
        """The edition of a pass that publishes what is planned, with the settings `made`, from a `source` (JSON values:
        what else its files are made of). Nothing stands of a corpus that was made with other settings, or lacks files,
        or of which a recording was labelled again that counts in place of others; nor where it is to be `compact`.
        `splits` are those that the recordings are in now.

        Raises LockError where another build begins one at the same time.
        """
        standing = _standing(out, planned, made, compact=compact)
        if splits and standing.stands:
            standing = replace(standing, moved=moved(out, standing.index, splits))
        if standing.stands and standing.since == len(planned.generations) and not standing.moved:
            return replace(cls.of(out, standing.index), standing=standing, is_published=True)
        begun = cls.begin(out, [made, *source, len(planned.generations), standing.since])
        return replace(begun, standing=standing)

    @classmethod
    def begin(cls, out: Storage, made_of: Any) -> Self:
        """A new edition, or the one that an interrupted pass left, if that was made of the same (JSON values).

        Raises LockError where another build begins one at the same time.
        """
        try:
            content, version = out.read_version(index.FILE)
            known = cls(out, 0, version, hashlib.sha256(content).hexdigest(), generations_of(content))
        except FileNotFoundError:
            known = cls(out, 0)
        key = hashlib.sha256(json.dumps([made_of, known.before], sort_keys=True).encode()).hexdigest()
        latest = max(map(_pass_number, out.names(FOLDER)), default=0)
        if latest and out.exists(_record(latest)):
            started = out.read_record(_record(latest), lambda values: typed(_Started, values), REMEDY)
            if started.key == key:
                return replace(known, number=latest)
        files = [shards.written_by(name) for folder in PUBLISHED for name in out.names(folder)]
        number = 1 + max([latest, *files, *(item.number for item in known.generations)])
        new = cls(out, number, known.replaces, known.before, known.generations)
        new._write_alone(_record(new.number), json_bytes(asdict(_Started(key))), None)
        return new

    @classmethod
    def of(cls, out: Storage, current: ShardIndex) -> Self:
        """The edition that is the corpus, and whatever killed passes have left since it was made."""
        return cls(out, max([current.edition, *map(_pass_number, out.names(FOLDER))]))

    def each(
        self, tasks: Iterable[Task], kind: type[Result], work: Callable[[Iterable[Task]], Iterable[Result]]
    ) -> Iterator[Result]:
        """A result for each task of the pass, in any order: the stored one, or what `work` gives for the others.

        Raises DataError where a stored one is damaged.
        """
        folder = folder_of(self.number)
        known, waiting = {*self.out.names(folder)}, []
        done: list[str] = []
        for task in tasks:
            if _name(task) in known:
                done.append(f"{folder}/{_name(task)}")
            else:
                waiting.append(task)
        read = partial(self.out.read_record, parse=partial(typed, kind), remedy=REMEDY)
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(done), AT_ONCE):
                yield from pool.map(read, done[start : start + AT_ONCE])
        if waiting:
            yield from work(waiting)

    def switch(self, new: ShardIndex, kind: Kind = "build", *, rewrites: bool = True) -> ShardIndex:
        """Make this edition the corpus; returns the index as it is written. `end` then removes what it does not name.

        `rewrites`: whether it goes without shards of the edition before. Raises LockError where another build has
        replaced the index since this pass began: its corpus stays.
        """
        step = Generation(self.number, kind, self.before, rewrites, new.rows, new.seconds)
        new = replace(new, edition=self.number, generations=[*self.generations, step])
        content = sealed(new.to_json())
        self.out.write_bytes(chain.file_name(self.number), content)
        self._write_alone(index.FILE, content, self.replaces)
        return new

    def end(self, current: ShardIndex) -> None:
        """The pass is done: nothing of it, nor of those before, has to be remembered. Repeated, it changes nothing.

        Files that the index does not name go: of this edition and those before. Of later ones another pass has them.
        """
        for folder in PUBLISHED:
            for name in {*self.out.names(folder)} - {*current.names(folder)}:
                if 0 < shards.written_by(name) <= self.number:
                    self.out.remove(f"{folder}/{name}")
        numbers = {item.number for item in current.generations}
        for name in self.out.names(chain.FOLDER):
            number, kind = chain.parsed(name)
            if 0 < number <= self.number and (
                number not in numbers or (kind == chain.LABELLING and number < current.edition)
            ):
                self.out.remove(f"{chain.FOLDER}/{name}")
        self.out.remove(ANEW)
        passes = {_pass_number(name) for folder in (FOLDER, JUDGED_FOLDER) for name in self.out.names(folder)}
        for number in sorted(passes & set(range(1, self.number + 1))):  # the latest last: it is the one that can go on
            self.out.remove(_record(number))
            self.out.remove_folder(folder_of(number))
            self.out.remove_folder(judged_folder(number))
        self.out.remove_if_empty(FOLDER)
        self.out.remove_if_empty(JUDGED_FOLDER)

    def _write_alone(self, name: str, content: bytes, version: str | None) -> None:
        try:
            self.out.write_if(name, content, version)
        except ChangedError as error:
            msg = f"{self.out.root}/{name} was written by another build meanwhile: this build ends here"
            raise LockError(msg) from error


def _standing(out: Storage, planned: Plan, made: str, *, compact: bool) -> Standing:
    """What stands of the corpus for a pass."""
    try:
        found = index.read_index(out)
    except (FileNotFoundError, DataError):  # a damaged one is replaced
        found = ShardIndex([])
    lost = [name for name in out.names(ledger.FOLDER) if ledger.is_removal(name)]
    sha256 = {name: value for name, value in found.sha256.items() if ledger.is_removal(posixpath.basename(name))}
    nothing = Standing(ShardIndex([], ledger=lost, sha256=sha256))
    whole = all({*found.names(folder)}.issubset(out.names(folder)) for folder in PUBLISHED)
    same = found.made == made and found.planned <= len(planned.generations)
    if compact or not same or not whole or out.exists(ANEW):
        return nothing
    again = {*itertools.islice(replaced(planned, found.planned), MOST_REPLACED)}
    if len(again) == MOST_REPLACED or (again and count_for_others(out, found.ledger, again)):
        return nothing
    return Standing(found, sorted(again))


def before_labelling(out: Storage, planned: Plan, units: Iterable[int]) -> None:
    """Take note where units are labelled again whose recordings are published: nothing of that corpus stands then."""
    try:
        published = Plan(out, planned.generations[: index.read_index(out).planned]).num_units
    except FileNotFoundError:
        return
    except DataError:  # it is replaced; any unit may be published, where somebody puts a copy of it there first
        published = planned.num_units
    if any(unit < published for unit in units):
        out.write_json(ANEW, {"units": published})


def stored(out: Storage, edition: int, task: Task, result: Result) -> Result:
    """The result of a task of the pass that makes an edition, stored: all that the task writes has to be there."""
    out.write_json(f"{folder_of(edition)}/{_name(task)}", asdict(result))
    return result


def folder_of(edition: int) -> str:
    """Where the pass that makes an edition stores what is done."""
    return f"{FOLDER}/v{edition}"


def _name(task: NamedTask) -> str:
    return f"{task.name}.json"


def _record(number: int) -> str:
    """The file that says what a pass makes."""
    return f"{folder_of(number)}/pass.json"


def _pass_number(name: str) -> int:
    """The edition of a folder of a pass, by its name; 0 for one of another kind."""
    found = re.fullmatch(r"v(\d+)", name)
    return int(found[1]) if found else 0
