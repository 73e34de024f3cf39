"""Figures of tables; whole tables are tested with their commands."""

import re

import pyarrow as pa
import pytest

from curation.cli.tables import hours, print_checks, print_status, type_name
from curation.manifests.runs import PoolTimes
from curation.pipeline.run import BuildState
from curation.preflight.doctor import Check


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (60, "1 min 00 s"), (3599.4, "59 min 59 s"), (36_061, "10 h 01 min 01 s")],
)
def test_durations_are_readable(seconds, text):
    assert hours(seconds) == text


def test_types_are_readable():
    word = pa.struct([("text", pa.string()), ("start", pa.float64())])
    assert type_name(pa.list_(word)) == "list of {text, start}"
    assert type_name(pa.list_(pa.int32())) == "list of int32"


def test_a_remedy_is_shown_for_what_is_missing_only(capsys):
    print_checks([Check("CPUs", ok=True, found="8", remedy="buy"), Check("disk", ok=False, found="0", remedy="free")])
    assert capsys.readouterr().out == "ok      CPUs: 8\nmissing disk: 0\n        -> free\n"


def test_the_time_of_each_pool_is_shown_in_shares(capsys):
    """In `curation status` and under the summary: of 20 s that three workers were ready, 15 s busy and 1 s blocked."""
    print_status(BuildState(4, 1, 2, "label", 3.0, published=False, pools={"asr": PoolTimes(3, 15.0, 4.0, 1.0, 2)}))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "1 of 4 units labelled, 2 batches committed"
    cells = [[cell.strip() for cell in re.split("[┃│]", line) if cell.strip()] for line in lines]
    assert ["pool", "workers", "busy", "waiting for input", "blocked by output", "calls lost"] in cells
    assert ["asr", "3", "75%", "20%", "5%", "2"] in cells
