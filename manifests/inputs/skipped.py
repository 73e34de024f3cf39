"""What the listing of inputs leaves out: counted, with its reason and examples, so that nothing is lost unseen."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from curation.core.names import printable
from curation.core.storage import Storage

FILE = "plan/skipped.json"
EXAMPLES = 3
REMEDY = "remove it, and name all inputs again to count what is left out"


@dataclass(slots=True)
class Skipped:
    """Files or folders that were left out for one reason."""

    count: int = 0
    examples: list[str] = field(default_factory=list)
    """Paths of the first ones."""

    def add(self, count: int, examples: Iterable[str]) -> None:
        """Count more of them."""
        self.count += count
        self.examples = [*self.examples, *examples][:EXAMPLES]


ByReason = dict[str, Skipped]


def skip(skipped: ByReason, reason: str, path: str) -> None:
    """Count a file or folder that is left out; without a path, what it was is not said."""
    skipped.setdefault(reason, Skipped()).add(1, [printable(path)] if path else [])


def record_skipped(out: Storage, by_argument: Mapping[str, ByReason]) -> None:
    """Keep for the summary what was left out of each input of a build, in place of what was known of that input."""
    kept = {argument: found for argument, found in {**_read(out), **by_argument}.items() if found}
    if kept or out.exists(FILE):
        _write(out, kept)


def read_skipped(out: Storage) -> ByReason:
    """What was left out of all inputs that a build was ever given. Raises DataError where the record is damaged."""
    total: ByReason = {}
    for found in _read(out).values():
        for reason, item in found.items():
            total.setdefault(reason, Skipped()).add(item.count, item.examples)
    return dict(sorted(total.items()))


def forget_skipped(out: Storage, paths: Collection[str]) -> None:
    """Take paths out of what is kept, as inputs and as examples."""
    known = _read(out)
    kept = {argument: _without(paths, found) for argument, found in known.items() if argument not in paths}
    if kept != known:
        _write(out, kept)


def _without(paths: Collection[str], found: ByReason) -> ByReason:
    return {
        reason: replace(item, examples=[one for one in item.examples if one not in paths])
        for reason, item in found.items()
    }


def _write(out: Storage, kept: Mapping[str, ByReason]) -> None:
    values = {argument: {reason: asdict(item) for reason, item in found.items()} for argument, found in kept.items()}
    out.write_json(FILE, values)


def _read(out: Storage) -> dict[str, ByReason]:
    if not out.exists(FILE):
        return {}
    return out.read_record(FILE, _parsed, REMEDY)


def _parsed(values: Mapping[str, Mapping[str, Any]]) -> dict[str, ByReason]:
    return {argument: {reason: Skipped(**item) for reason, item in found.items()} for argument, found in values.items()}
