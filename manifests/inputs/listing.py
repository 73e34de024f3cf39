"""What goes into a build: files, folders, globs and manifests, local or on any fsspec file system.

    for item in Listing(["recordings/", "more.jsonl"]):
        ...

Every input becomes a `Source` with an id that stays when the corpus moves.
"""

import functools
import itertools
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any

from curation.core.errors import ConfigError, UserError
from curation.core.stores.protocols import file_system
from curation.manifests.inputs.allowed import Allowed
from curation.manifests.inputs.argument import Argument, Input
from curation.manifests.inputs.ids import Roots
from curation.manifests.inputs.rows import SEGMENT_MARK
from curation.manifests.inputs.skipped import ByReason, skip
from curation.manifests.inputs.spill import SortedOnDisk
from curation.manifests.records import Source

log = logging.getLogger(__name__)

REPEATED = "named more than once"


def id_of(item: Input) -> str:
    """The id of the source."""
    return item.source.id


def inputs_on_disk() -> SortedOnDisk[Input]:
    """An empty list of inputs, which it sorts by id."""
    return SortedOnDisk(id_of, _to_json, lambda values: Input(Source(*values[:-3]), *values[-3:]))


def _to_json(item: Input) -> list[Any]:
    return [*_values(item.source), item.size, item.manifest, item.row]


_values = attrgetter(*(field.name for field in fields(Source)))


class Listing:
    """The inputs of a build, listed while they are iterated over. Raises ConfigError for one that cannot be read."""

    def __init__(
        self,
        names: Iterable[str],
        roots: Roots | None = None,
        allow: list[str] | None = None,
        *,
        may_be_moved: bool = True,
    ) -> None:
        self.arguments = [Argument(name) for name in names]
        self._allowed = Allowed((argument.location for argument in self.arguments), allow)
        self.roots = roots if roots is not None else Roots()
        """Also those of earlier runs."""
        self.skipped: dict[str, ByReason] = {argument.name: {} for argument in self.arguments}
        """What was left out so far, by input."""
        self.roots.add((argument.root for argument in self.arguments), _exists if may_be_moved else lambda _: True)

    def __iter__(self) -> Iterator[Input]:
        for argument in self.arguments:
            yield from argument.inputs(self.roots, self._allowed, self.skipped[argument.name])

    def distinct(self) -> SortedOnDisk[Input]:
        """All inputs sorted by id. Raises ConfigError where two differ in more than who names them, or there are none.

        What a manifest says of a recording counts, where a folder holds it too.
        """
        every, found = inputs_on_disk(), inputs_on_disk()
        for item in self:
            every.add(item)
        whole: Input | None = None
        for _, same in itertools.groupby(every, key=id_of):
            item = functools.reduce(self._one_of, same)
            _check_part(item, whole)
            whole = item if item.source.offset is None else whole
            found.add(item)
        _tell(self.skipped)
        if not found:
            names = ", ".join(argument.name for argument in self.arguments)
            msg = f"no recordings in {names or 'the inputs'}: expected audio or video files, or a manifest"
            raise ConfigError(msg)
        return found

    def _one_of(self, item: Input, other: Input) -> Input:
        """The one that counts of two with the same id, of which `other` was found later."""
        skip(next(iter(self.skipped.values())), REPEATED, other.where)
        if other.manifest and not item.manifest and other.source.path == item.source.path:
            return other
        _check_equal(other, item)
        return item


def list_inputs(names: Iterable[str]) -> list[Input]:
    """All files that the inputs name, sorted by id. Raises ConfigError with the input and the remedy."""
    found = list(Listing(names).distinct())
    part = next((item for item in found if _is_part(item.source)), None)
    if part is not None:
        msg = (
            f"{part.where}: only builds cut recordings out of files: name the whole file, without offset, track and "
            f"channel"
        )
        raise ConfigError(msg)
    return found


def _is_part(source: Source) -> bool:
    return any(value is not None for value in (source.offset, source.track, source.channel))


def _tell(skipped: Mapping[str, ByReason]) -> None:
    for found in skipped.values():
        for reason, item in sorted(found.items()):
            log.warning("left out: %d %s, e.g. %s", item.count, reason, item.examples[0])


def _check_equal(item: Input, other: Input) -> None:
    if item.source.path != other.source.path:
        msg = f"{other.where} and {item.where} have the same id {item.source.id!r}: make the ids unique"
        raise ConfigError(msg)
    if item.manifest and other.manifest and item.source != other.source:
        msg = (
            f"{other.where} and {item.where} name the same recording {item.source.path} with other values: remove one, "
            f"or give each an id"
        )
        raise ConfigError(msg)


def _exists(folder: str) -> bool:
    """Whether a folder of an earlier run is still there; one that cannot be asked for counts as there."""
    try:
        fs, path = file_system(folder)
        return bool(fs.exists(path))
    except (OSError, UserError):
        return True


def _check_part(item: Input, whole: Input | None) -> None:
    """Raise ConfigError for a segment of a file that is a recording of its own as well: it would come before this."""
    if whole is not None and item.source.id.startswith(f"{whole.source.id}{SEGMENT_MARK}"):
        msg = (
            f"{item.where} is a part of {item.source.path}, and {whole.where} is the whole of it, so that it would "
            f"be there twice: give every row of a file an offset (0 for its beginning), or name the file only once"
        )
        raise ConfigError(msg)
