"""Takes recordings out of what a build keeps for itself: plan, staging, speech, tokens, marks, notes, audit pages.

Files are changed in place, each in one step, and only where they have something of the recordings; a file without any
row stays, since its name says that a batch is done. Repeated, nothing changes any more.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.core.stores.temporary import sweep
from curation.manifests import plan, staging, tokens
from curation.manifests.columns.maps import one_chunk
from curation.manifests.duplicates import near
from curation.manifests.inputs import ids
from curation.manifests.inputs.skipped import forget_skipped
from curation.manifests.marks import files as marks
from curation.manifests.staging import BatchName
from curation.manifests.voices import files as voices

AUDIT = "audit"
"""Where pages of `curation audit` may lie in a corpus: they are written again, not changed."""


def recording_of(utterance: str) -> str:
    """The inverse of `staging.segment_id`."""
    return utterance.rsplit("-", 2)[0]


def batches_of(out: Storage, units: Collection[int]) -> list[BatchName]:
    """The staging files of units."""
    return [name for name in staging.committed(out) if name.unit in units]


def concerned(out: Storage, recordings: Collection[str], units: Collection[int]) -> Iterator[str]:
    """The names of files that are changed in place, or go."""
    for name, _, _ in _concerned(out, recordings, units):
        yield name
    for name in out.names(marks.FOLDER):
        if any(recording_of(mark.id) in recordings for mark in marks.read_file(out, name)):
            yield f"{marks.FOLDER}/{name}"


def scrub(out: Storage, recordings: Collection[str], paths: Collection[str], units: Collection[int]) -> None:
    """Take recordings out of everything but what is published."""
    for name, column, has in _concerned(out, recordings, units):
        table = _read(out, name)
        out.write_table(name, staging.without_examples(table.filter(pc.invert(has(table[column], recordings)))))
    _bounds(out, units)
    for name in out.names(marks.FOLDER):
        said = marks.read_file(out, name)
        left = [mark for mark in said if recording_of(mark.id) not in recordings]
        if left != said:
            marks.replace_file(out, name, left)
    _paths(out, paths)
    out.remove(near.REPORT)
    for folder in (AUDIT, "publish", "judged", "attempts"):
        out.remove_folder(folder)
    if out.is_local:
        sweep(Path(out.path(".")))


Has = Callable[[pa.ChunkedArray, Collection[str]], pa.Array]
"""Which values of a column are of some recordings."""


def _concerned(out: Storage, recordings: Collection[str], units: Collection[int]) -> Iterator[tuple[str, str, Has]]:
    """The tables that have rows of the recordings, each with the column that says so: no other is read."""
    for name, column, has in _tables(out, units):
        if out.exists(name) and pc.any(has(_read(out, name, [column])[column], recordings)).as_py():
            yield name, column, has


def _read(out: Storage, name: str, columns: list[str] | None = None) -> pa.Table:
    again = (
        f"remove it and the file of the same name in {staging.FOLDER}/, then `curation build -o {out.root}` labels it"
    )
    remedies = {near.FILE: near.REMEDY, voices.FILE: voices.ANEW}
    remedy = plan.REMEDY if name.startswith(f"{plan.FOLDER}/") else remedies.get(name, again)
    return out.read_table(name, columns, remedy)


def _tables(out: Storage, units: Collection[int]) -> Iterator[tuple[str, str, Has]]:
    """The tables of a build that may have rows of the recordings of units, and those that a killed build left."""
    yield near.FILE, "id", _among
    parts = [*plan.read_plan(out).parts]
    for part in parts:
        if _has_unit(part, units):
            yield f"{plan.FOLDER}/{part.file}", "id", _among
    yield voices.FILE, "recording_id", _among
    known = {part.file.partition("/")[0] for part in parts}
    for folder in out.names(plan.FOLDER):
        if folder.startswith("generation-") and not folder.endswith(".json") and folder not in known:
            yield from (
                (f"{plan.FOLDER}/{folder}/{file}", "id", _among) for file in out.names(f"{plan.FOLDER}/{folder}")
            )
    folders, spoken = out.names(tokens.FOLDER), map(BatchName.parse, out.names(staging.SPEECH_FOLDER))
    for name in sorted({*batches_of(out, units), *(name for name in spoken if name.unit in units)}):
        yield name.speech, "span_source", _sources_among
        for folder in folders:
            yield f"{tokens.FOLDER}/{folder}/{name}.parquet", "id", _utterances_among
        yield name.file, "source", _sources_among


def _has_unit(part: plan.Part, units: Collection[int]) -> bool:
    return any(part.first_unit <= unit <= part.last_unit for unit in units)


def _among(ids: pa.ChunkedArray, recordings: Collection[str]) -> pa.Array:
    return pc.is_in(one_chunk(ids), value_set=pa.array(sorted(recordings), pa.string()))


def _sources_among(sources: pa.ChunkedArray, recordings: Collection[str]) -> pa.Array:
    return _among(pc.struct_field(one_chunk(sources), "id"), recordings)


def _utterances_among(ids: pa.ChunkedArray, recordings: Collection[str]) -> pa.Array:
    return pa.array([recording_of(one) in recordings for one in ids.to_pylist()], pa.bool_())


def _bounds(out: Storage, units: Collection[int]) -> None:
    """Name the first and last ids of the parts of the plan as they are now; of one without rows, those before it."""
    names = [name for name in out.names(plan.FOLDER) if name.startswith("generation-") and name.endswith(".json")]
    for name, generation in zip(names, plan.read_plan(out).generations, strict=True):
        parts, before = [], ""
        for part in generation.parts:
            if _has_unit(part, units):
                found: Sequence[str] = out.read_table(f"{plan.FOLDER}/{part.file}", ["id"])["id"].to_pylist()
                first, last = (found[0], found[-1]) if found else (before, before)
                part = replace(part, first=first, last=last)  # noqa: PLW2901 - as it is now
            parts.append(part)
            before = parts[-1].last
        if parts != generation.parts:
            out.write_json(f"{plan.FOLDER}/{name}", asdict(replace(generation, parts=parts)))


def _paths(out: Storage, paths: Collection[str]) -> None:
    """Roots below which nothing is planned any more, and examples of what was left out, go with the paths."""
    if out.exists(ids.FILE):
        roots = ids.read_roots(out)
        mine = {root for root in roots.names if any(path.startswith(f"{root}/") for path in paths)}
        for source in plan.read_plan(out).sources() if mine else ():
            mine -= {root for root in mine if source.path.startswith(f"{root}/")}
        if mine:
            ids.write_roots(out, ids.Roots({root: name for root, name in roots.names.items() if root not in mine}))
    forget_skipped(out, paths)
