"""Token files: added to, joined by id, and errors that become verdicts."""

import pyarrow as pa
import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests import tokens
from curation.manifests.schemas import TOKENS
from curation.manifests.staging import BatchName

FIRST, SECOND = BatchName(0, 0), BatchName(0, 1, last=True)
FINGERPRINT = "0123456789abcdef" * 4


def table(**codes):
    """A row for each utterance: its codes in all three streams, or the error."""
    rows = []
    for name, value in codes.items():
        failed = isinstance(value, str)
        streams = dict.fromkeys(tokens.STREAMS, None if failed else value)
        rows.append({"id": name, **streams, "error": value if failed else ""})
    return pa.Table.from_pylist(rows, schema=TOKENS)


@pytest.fixture
def out(tmp_path):
    return Storage(str(tmp_path))


def test_rows_are_added_and_replaced(out):
    tokens.add(out, FIRST, FINGERPRINT, table(b="broken", a=[1]))
    stored = tokens.add(out, FIRST, FINGERPRINT, table(c=[3], b=[2, 2]))
    assert stored.equals(tokens.read(out, FIRST, FINGERPRINT))
    assert tokens.read(out, FIRST, FINGERPRINT).equals(table(a=[1], b=[2, 2], c=[3]))


def test_tokenizers_and_batches_do_not_share_files(out):
    tokens.add(out, FIRST, FINGERPRINT, table(a=[1]))
    assert tokens.read(out, SECOND, FINGERPRINT).num_rows == 0
    assert tokens.read(out, FIRST, FINGERPRINT[::-1]).num_rows == 0


def test_a_damaged_file_is_named_with_the_remedy(out, tmp_path):
    tokens.add(out, FIRST, FINGERPRINT, table(a=[1]))
    path = tmp_path / tokens.file_name(FIRST, FINGERPRINT)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"tokens/0123456789abcdef/00000000-000000\.parquet is damaged.*: remove it"):
        tokens.read(out, FIRST, FINGERPRINT)


def test_streams_come_in_the_order_of_the_ids_from_all_files(out):
    tokens.add(out, FIRST, FINGERPRINT, table(a=[1], b=[2, 2]))
    tokens.add(out, SECOND, FINGERPRINT, table(c=[3]))
    tokens.add(out, SECOND, FINGERPRINT, table(a=[9]))  # it was tried again, and the first try counts
    files = pa.chunked_array([[str(SECOND), str(FIRST)], [str(SECOND), str(FIRST)]])
    kept = pa.table({"id": pa.chunked_array([["c", "a"], ["x", "b"]]), "file": files})
    found = tokens.streams_of(out, kept, FINGERPRINT)
    assert found.column_names == list(tokens.STREAMS)
    assert found["semantic"].to_pylist() == [[3], [1], None, [2, 2]]


def test_only_kept_segments_fail_for_want_of_tokens():
    ids = ["good", "broken", "never", "out"]
    statuses = ["kept", "kept", "kept", "rejected"]
    segments = pa.table(
        {"id": ids, "status": statuses, "reason": pa.array([None, None, None, "x.y"]), "detail": pa.nulls(4, "string")}
    )
    judged = tokens.with_errors(segments, table(good=[1], broken="ValueError: short").select(["id", "error"]))
    assert judged.to_pylist() == [
        {"id": "good", "status": "kept", "reason": None, "detail": None},
        {"id": "broken", "status": "failed", "reason": "tokenize", "detail": "ValueError: short"},
        {"id": "never", "status": "failed", "reason": "tokenize", "detail": "not tokenized: publish again"},
        {"id": "out", "status": "rejected", "reason": "x.y", "detail": None},
    ]
