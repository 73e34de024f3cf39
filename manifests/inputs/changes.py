"""What a build has to do for its inputs: label recordings that are new, and those that a manifest now says otherwise.

A folder says nothing of language or speaker: it never changes what a manifest said. Further columns (`extra`) are
passed through only; where they change, nothing is labelled again, and a warning says so.
"""

import logging
from collections.abc import Iterable, Mapping

from curation.core.counts import counted
from curation.core.errors import ConfigError
from curation.core.file_state import is_other_content
from curation.manifests.inputs.ids import Roots
from curation.manifests.inputs.listing import Input
from curation.manifests.records import Source

log = logging.getLogger(__name__)

LABELLED = ("language", "speaker", "transcript", "offset", "duration", "track")
"""Values that shards and labels follow from."""
EXAMPLES = 3


def to_label(found: Iterable[Input], known: Mapping[str, Source], roots: Roots) -> list[Input]:
    """The inputs that are not labelled yet as they are now; `known` are the sources of the plan by id.

    Logs which known ones have other values. Raises ConfigError where a known id belongs to another recording.
    """
    todo, corrected, passed_by, touched = [], [], [], []
    for item in found:
        old = known.get(item.source.id)
        if old is None:
            todo.append(item)
            continue
        if not roots.same_place(old.path, item.source.path):
            msg = (
                f"{item.where} has the id {item.source.id!r}, which this build has for {old.path}: make the ids "
                f"unique, or use another output folder"
            )
            raise ConfigError(msg)
        if changes := _changes(old, item):
            todo.append(item)
            corrected.append(f"{item.where}: {', '.join(changes)}")
        elif old.version and item.source.version not in {"", old.version}:
            touched.append(item.where)
        elif item.manifest and old.extra != item.source.extra:
            passed_by.append(item.where)
    if corrected:
        what = counted(len(corrected), "recording")
        log.warning("%s will be labelled again, with the new values of %s", what, _some(corrected))
    if touched:
        log.warning(
            "%s changed at another time than when labelled, and kept the size: taken to be the same; if not, build "
            "into another output folder: %s",
            counted(len(touched), "file"),
            _some(touched),
        )
    if passed_by:
        log.warning(
            "%s: other columns have changed and keep their old values; for the new ones use another output folder: %s",
            counted(len(passed_by), "recording"),
            _some(passed_by),
        )
    return todo


def _changes(old: Source, item: Input) -> list[str]:
    """`language 'en' -> 'de'` for each value that the manifest has corrected, and whether the file is another one."""
    values = ((name, getattr(old, name), getattr(item.source, name)) for name in LABELLED if item.manifest)
    changes = [f"{name} {_short(before)} -> {_short(now)}" for name, before, now in values if before != now]
    if is_other_content(old.version, item.source.version):
        changes.append(f"its content ({old.version} -> {item.source.version})")
    return changes


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _some(items: list[str]) -> str:
    more = f"; and {len(items) - EXAMPLES} more" if len(items) > EXAMPLES else ""
    return "; ".join(items[:EXAMPLES]) + more
