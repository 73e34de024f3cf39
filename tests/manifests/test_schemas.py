"""The published columns are documented, and the schemas agree where files are joined."""

import pytest

from curation.manifests.schemas import LEDGER, LEDGER_COLUMNS, SHARD_COLUMNS, SHARDS, VERDICTS
from curation.manifests.segments.table import SegmentTable
from curation.pipeline.assemble import declared_scores

SEGMENTS = SegmentTable(declared_scores(), []).columns


@pytest.mark.parametrize("columns", [SHARD_COLUMNS, LEDGER_COLUMNS, SEGMENTS], ids=["shards", "ledger", "segments"])
def test_every_published_column_has_a_meaning(columns):
    assert all(column.meaning for column in columns)
    assert len({column.name for column in columns}) == len(columns)


def test_the_shards_carry_unit_and_meaning_in_their_own_schema():
    assert {field.name: field.metadata[b"meaning"].decode() for field in SHARDS} == {
        column.name: column.meaning for column in SHARD_COLUMNS
    }
    assert SHARDS.field("glm").metadata[b"unit"] == b"12.5/s"


def test_the_ledger_has_the_columns_of_a_verdict():
    assert [LEDGER.field(field.name).type for field in VERDICTS] == [field.type for field in VERDICTS]
