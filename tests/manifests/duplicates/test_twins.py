"""Each twin is in its range of ids, and gets its verdict; nothing else changes."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from curation.core.storage import Storage
from curation.manifests import schemas
from curation.manifests.duplicates.twins import Twin, by_range, counted_once, put_twins, read_twins
from curation.manifests.groups import IdRange

IDS = st.lists(st.text("abc", min_size=1, max_size=3), unique=True, min_size=1, max_size=8).map(sorted)


@given(IDS, IDS)
def test_each_range_gets_the_twins_with_its_ids(cuts, names):
    ranges = [IdRange(n, first, end, ()) for n, (first, end) in enumerate(zip(["", *cuts], [*cuts, None], strict=True))]
    twins = [Twin(name, "", "dedup.exact", "x") for name in names]
    found = [(part, twin.recording) for part, mine in by_range(ranges, twins) for twin in mine]
    assert [name for _, name in found] == names
    assert all(part.first <= name and (part.end is None or name < part.end) for part, name in found)


STATES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["kept", "rejected", "failed"])), max_size=8)


@given(STATES, st.sets(st.sampled_from("abc")), st.sets(st.integers(0, 7)))
def test_only_what_is_named_is_rejected_and_what_failed_stays_failed(states, whole, single):
    rows = [
        {"id": f"{name}-{n}", "status": status, "reason": "r", "rules_broken": n, "value": 0.25}
        for n, (name, status) in enumerate(states)
    ]
    table = pa.Table.from_pylist(rows, schema=pa.schema([("id", pa.string()), *schemas.JUDGED]))
    recordings = pa.chunked_array([pa.array([name for name, _ in states], pa.string())])
    twins = [Twin(name, "", "dedup.exact", "first") for name in sorted(whole)]
    twins += [
        Twin(states[n][0], f"{states[n][0]}-{n}", "dedup.near", "group 1", 0.9) for n in single if n < len(states)
    ]
    found = counted_once(table, recordings, twins)
    assert found.schema.names == table.schema.names
    for number, (row, (name, status)) in enumerate(zip(found.to_pylist(), states, strict=True)):
        verdict = [row[column] for column in ("status", "reason", "detail", "value", "rules_broken")]
        if name in whole and status != "failed":
            assert verdict == ["rejected", "dedup.exact", "first", None, None]
        elif number in single and status == "kept":
            assert verdict == ["rejected", "dedup.near", "group 1", 0.9, None]
        else:
            assert verdict == [status, "r", None, 0.25, number]


def test_twins_come_back_from_their_file(tmp_path):
    out, twins = (
        Storage(str(tmp_path)),
        [Twin("a", "", "dedup.exact", "b"), Twin("c", "c-1", "dedup.near", "group 0", 0.5)],
    )
    assert put_twins(out, "x.parquet", twins)
    assert read_twins(out, "x.parquet") == twins
    assert not put_twins(out, "y.parquet", [])
    assert not out.exists("y.parquet")
