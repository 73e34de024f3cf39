"""Tables that are written piece by piece are the same as those that are written whole."""

import gc
import hashlib
import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.parquet import TableWriter, encoding

SCHEMA = pa.schema({"x": pa.int64(), "s": pa.struct({"audio": pa.binary(), "l": pa.list_(pa.string())})})


@given(st.lists(st.integers(0, 30), max_size=6), st.integers(1, 20))
def test_the_pieces_do_not_matter(sizes, group):
    rows = [{"x": n, "s": {"audio": b"\0" * n, "l": [str(n)] * (n % 3)}} for n in range(sum(sizes))]
    table = pa.Table.from_pylist(rows, SCHEMA)
    file = io.BytesIO()
    writer = TableWriter(file, SCHEMA, group)
    for start, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
        writer.add(table.slice(start, size))
    writer.close()
    content = file.getvalue()
    assert (writer.bytes, writer.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    parquet = pq.ParquetFile(io.BytesIO(content))
    assert parquet.read().equals(table)
    groups = [parquet.metadata.row_group(number).num_rows for number in range(parquet.num_row_groups)]
    assert groups == [group] * (len(rows) // group) + ([len(rows) % group] if len(rows) % group else [])


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_writer_that_is_done_holds_no_memory(is_closed):
    """Nor does one that was given up: workers write thousands of files."""
    schema, rows = pa.schema({"x": pa.int64()}), 100_000
    before = pa.total_allocated_bytes()
    for _ in range(5):
        writer = TableWriter(io.BytesIO(), schema, 2 * rows)
        writer.add(pa.table({"x": pa.array(np.arange(rows)).take(pa.array(np.arange(rows)))}))
        if is_closed:
            writer.close()
        del writer
    gc.collect()
    assert pa.total_allocated_bytes() - before < 8 * rows


def test_audio_is_not_compressed_again():
    packed = encoding(SCHEMA)["use_dictionary"]
    assert packed == ["x", "s.l.list.element"]
