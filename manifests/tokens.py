"""Token files: the tokens of the kept utterances, one file for each staging file.

They are kept by tokenizer fingerprint, so that publishing again with another threshold encodes only what is new.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.parquet import damage_named
from curation.core.storage import Storage
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


def add(out: Storage, name: BatchName, fingerprint: str, rows: pa.Table) -> pa.Table:
    """Store the rows of `schemas.TOKENS` with those of the batch, replacing rows with the same id; returns all."""
    known = read(out, name, fingerprint)
    older = known.filter(pc.invert(pc.is_in(known["id"], value_set=rows["id"].combine_chunks())))
    stored = pa.concat_tables([older, rows]).sort_by("id")
    out.write_table(file_name(name, fingerprint), stored)
    return stored


def streams_of(out: Storage, kept: pa.Table, fingerprint: str) -> pa.Table:
    """The three streams of utterances (rows of `schemas.KEPT`), in their order; nulls for one without tokens.

    A recording that was tried again may have tokens in several batches.
    """
    empty = schemas.TOKENS.empty_table().select(["id", *STREAMS])
    parts = [empty.append_column("file", pa.array([], pa.string()))]
    for name in pc.unique(kept["file"]).to_pylist():
        known = read(out, BatchName.parse(name), fingerprint, ["id", *STREAMS])
        parts.append(known.append_column("file", pa.array([name] * known.num_rows, pa.string())))
    known = pa.concat_tables(parts).combine_chunks()
    return known.take(pc.index_in(_keys(kept), value_set=_keys(known))).select(list(STREAMS))


def _keys(table: pa.Table) -> pa.Array:
    """One text for an utterance of a batch."""
    joined = pc.binary_join_element_wise(table["id"], table["file"], "/")
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
