"""Token files: what the tokenizers made of the kept utterances, one file beside each staging file.

They are kept by tokenizer fingerprint, so that publishing again with another threshold encodes only what is new.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.storage import Storage
from curation.manifests import schemas
from curation.manifests.staging import BatchName

FOLDER = "tokens"


def file_name(name: BatchName, fingerprint: str) -> str:
    """Where the tokens of a batch are."""
    return f"{FOLDER}/{fingerprint[:16]}/{name}.parquet"


def read(out: Storage, name: BatchName, fingerprint: str) -> pa.Table:
    """The tokens of a batch; no rows where there are none yet."""
    try:
        return out.read_table(file_name(name, fingerprint)).replace_schema_metadata()
    except FileNotFoundError:
        return schemas.TOKENS.empty_table()


def join(out: Storage, segments: pa.Table, names: Sequence[BatchName], fingerprint: str) -> pa.Table:
    """Add the token columns. A kept segment without tokens becomes `failed`, with the tokenizer's error."""
    known = pa.concat_tables([read(out, name, fingerprint) for name in names]).combine_chunks()
    place = pc.index_in(segments["id"], value_set=known["id"])
    found = known.take(place.combine_chunks())
    error = pc.if_else(pc.is_null(place), "not tokenized: publish again", found["error"])
    bad = pc.and_(pc.equal(segments["status"], "kept"), pc.not_equal(error, ""))
    changes = {
        "status": pc.if_else(bad, "failed", segments["status"]),
        "reason": pc.if_else(bad, "tokenize", segments["reason"]),
        "detail": pc.if_else(bad, error, segments["detail"]),
    }
    for name, values in changes.items():
        segments = segments.set_column(segments.column_names.index(name), name, values)
    for name in ("glm", "semantic", "global"):
        segments = segments.append_column(name, found[name])
    return segments
