"""What a build has to do for its inputs: label recordings that are new, and those that a manifest now says otherwise.

A folder says nothing of language or speaker: it never changes what a manifest said. Further columns (`extra`) are
passed through only; where they change, nothing is labelled again, and a warning says so.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from curation.core.counts import counted
from curation.core.errors import ConfigError
from curation.core.file_state import is_other_content
from curation.core.names import shown
from curation.core.storage import Storage
from curation.manifests.inputs.argument import Input
from curation.manifests.inputs.ids import Roots, read_roots
from curation.manifests.inputs.listing import Listing, id_of, inputs_on_disk
from curation.manifests.inputs.skipped import Skipped
from curation.manifests.inputs.spill import SortedOnDisk, joined
from curation.manifests.records import Source
from curation.manifests.removals.tombstones import Tombstones

log = logging.getLogger(__name__)

LABELLED = ("language", "speaker", "transcript", "offset", "duration", "track", "channel")
"""Values that shards and labels follow from."""


class Found(NamedTuple):
    """The inputs of a build, sorted by id, and the listing that they are from."""

    inputs: Iterable[Input]
    listing: Listing


Known = Callable[[], Iterable[Source]]
"""Gives the sources that a build knows, sorted by id."""


def listed(out: Storage, names: Sequence[str], known: Known, allow: list[str] | None) -> Found:
    """List the inputs of a build. Raises ConfigError as `Listing` does."""
    listing = Listing(names, read_roots(out), allow)
    found: Iterable[Input] = listing.distinct() if names else []
    if listing.roots.moved and not _same_files(found, known()):
        for folder, gone in listing.roots.moved.items():
            log.warning("%s is not %s, which is gone: its files are others, and new recordings", folder, gone)
        listing = Listing(names, read_roots(out), allow, may_be_moved=False)
        found = listing.distinct()
    return Found(found, listing)


def with_known(found: Iterable[Input], known: Iterable[Source]) -> Iterator[tuple[Input, Source | None]]:
    """The inputs, each with the source of its id that is known, if there is one; both are sorted by id."""
    return joined(found, known, id_of, lambda source: source.id)


def _same_files(found: Iterable[Input], known: Iterable[Source]) -> bool:
    """Whether all known recordings that are in another place now are the same for certain."""
    pairs = ((old, item.source) for item, old in with_known(found, known) if old is not None)
    return all(old.version and old.version == new.version for old, new in pairs if old.path != new.path)


def to_label(
    found: Iterable[Input],
    known: Iterable[Source],
    roots: Roots,
    removed: Tombstones = Tombstones(),  # noqa: B008 - none, and it is frozen
    on_removed: Callable[[], None] = lambda: None,
) -> SortedOnDisk[Input]:
    """The inputs that are not labelled yet as they are now; `known` are the sources of the plan, both sorted by id.

    What was removed from the corpus is left out, and told to `on_removed`. Logs which known ones have other values.
    Raises ConfigError where a known id belongs to another recording.
    """
    todo = inputs_on_disk()
    corrected, passed_by, touched = Skipped(), Skipped(), Skipped()
    for item, old in with_known(found, known):
        if old is None:
            if removed.of_id(item.source.id) is None:
                todo.add(item)
            else:
                on_removed()
            continue
        if not roots.same_place(old.path, item.source.path):
            msg = (
                f"{item.where} has the id {item.source.id!r}, which this build has for {old.path}: make the ids "
                f"unique, or use another output folder"
            )
            raise ConfigError(msg)
        if changes := _changes(old, item):
            todo.add(item)
            corrected.add(1, [f"{item.where}: {', '.join(changes)}"])
        elif old.version and item.source.version not in {"", old.version}:
            touched.add(1, [item.where])
        elif item.manifest and old.extra != item.source.extra:
            passed_by.add(1, [item.where])
    _tell(corrected, touched, passed_by)
    return todo


def _tell(corrected: Skipped, touched: Skipped, passed_by: Skipped) -> None:
    if corrected.count:
        what = counted(corrected.count, "recording")
        log.warning("%s will be labelled again, with the new values of %s", what, _some(corrected))
    if touched.count:
        log.warning(
            "%s changed at another time than when labelled, and kept the size: taken to be the same; if not, build "
            "into another output folder: %s",
            counted(touched.count, "file"),
            _some(touched),
        )
    if passed_by.count:
        log.warning(
            "%s: other columns have changed and keep their old values; for the new ones use another output folder: %s",
            counted(passed_by.count, "recording"),
            _some(passed_by),
        )


def _changes(old: Source, item: Input) -> list[str]:
    """`language 'en' -> 'de'` for each value that the manifest has corrected, and whether the file is another one."""
    values = ((name, getattr(old, name), getattr(item.source, name)) for name in LABELLED if item.manifest)
    changes = [f"{name} {shown(before, 40)} -> {shown(now, 40)}" for name, before, now in values if before != now]
    if is_other_content(old.version, item.source.version):
        changes.append(f"its content ({old.version} -> {item.source.version})")
    return changes


def _some(told: Skipped) -> str:
    more = told.count - len(told.examples)
    return "; ".join(told.examples) + (f"; and {more} more" if more else "")
