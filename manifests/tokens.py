"""Token files: the tokens of the kept utterances, one file for each staging file.

They are kept by tokenizer fingerprint, so that publishing again with another threshold encodes only what is new.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage, damage_named
from curation.manifests import schemas
from curation.manifests.staging import BatchName

FOLDER = "tokens"
STREAMS = ("glm", "semantic", "global")


def file_name(name: BatchName, fingerprint: str) -> str:
    """The file with the tokens of a batch."""
    return f"{FOLDER}/{fingerprint[:16]}/{name}.parquet"


def read(out: Storage, name: BatchName, fingerprint: str, columns: Sequence[str] = schemas.TOKENS.names) -> pa.Table:
    """The tokens of a batch, or some of their columns; no rows where there are none yet. DataError if damaged."""
    file = file_name(name, fingerprint)
    try:
        with damage_named(f"{out.root}/{file}", "remove it and run the same command again to encode"):
            return out.read_table(file, list(columns)).replace_schema_metadata()
    except FileNotFoundError:
        return schemas.TOKENS.empty_table().select(list(columns))


def add(out: Storage, name: BatchName, fingerprint: str, rows: pa.Table) -> None:
    """Store the rows of `schemas.TOKENS` with those of the batch, replacing rows with the same id."""
    known = read(out, name, fingerprint)
    older = known.filter(pc.invert(pc.is_in(known["id"], value_set=rows["id"].combine_chunks())))
    out.write_table(file_name(name, fingerprint), pa.concat_tables([older, rows]).sort_by("id"))


def streams_of(
    out: Storage, names: Sequence[BatchName], fingerprint: str, ids: pa.ChunkedArray, file: npt.NDArray[np.int64]
) -> pa.Table:
    """The three streams of some utterances, in the order of `ids`; nulls for one without tokens.

    `file` says in which of the batches each was labelled: a recording that was tried again may be in several.
    """
    parts = [schemas.TOKENS.empty_table().select(["id", *STREAMS]).append_column("file", pa.array([], pa.int64()))]
    for number in np.unique(file):
        known = read(out, names[number], fingerprint, ["id", *STREAMS])
        parts.append(known.append_column("file", pa.array(np.full(known.num_rows, number))))
    known = pa.concat_tables(parts).combine_chunks()
    wanted = _keys(ids, pa.array(file))
    return known.take(pc.index_in(wanted, value_set=_keys(known["id"], known["file"]))).select(list(STREAMS))


def _keys(ids: pa.ChunkedArray, file: pa.Array) -> pa.Array:
    """One text for an utterance of a batch."""
    joined = pc.binary_join_element_wise(ids, pc.cast(file, pa.string()), "/")
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def with_errors(segments: pa.Table, known: pa.Table) -> pa.Table:
    """Judged segments in which a kept one without tokens has become `failed`, with the tokenizer's error.

    `known` has the columns id and error of the token rows there are.
    """
    place = pc.index_in(segments["id"], value_set=known["id"].combine_chunks())
    error = pc.if_else(pc.is_null(place), "not tokenized: publish again", known["error"].take(place))
    bad = pc.and_(pc.equal(segments["status"], "kept"), pc.not_equal(error, ""))
    changes = {
        "status": pc.if_else(bad, "failed", segments["status"]),
        "reason": pc.if_else(bad, "tokenize", segments["reason"]),
        "detail": pc.if_else(bad, error, segments["detail"]),
    }
    for name, values in changes.items():
        segments = segments.set_column(segments.column_names.index(name), name, values)
    return segments
