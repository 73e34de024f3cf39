"""The paper's tables in miniature, without a GPU."""

import re

import pytest

from tests.bench.serving.tables import main


@pytest.mark.slow
def test_both_tables_are_filled_beside_the_papers(capsys):
    main(["--size", "small", "--clients", "1", "2", "--rounds", "1", "--first-look-ahead", "8"])
    told = capsys.readouterr().out
    first, second = told.split("Table 1")[1].split("Table 2")
    assert [line.split("|")[1].strip() for line in first.splitlines() if line.startswith("|")] == [
        "Concurrency",
        "---",
        "1",
        "(paper)",
        "2",
    ]
    assert "| 1797.0" not in first
    assert "| (paper) | 157.5 |" in second
    assert "look-ahead 8, then 67" in told
    around = int(re.search(r"(\d+) around it", told)[1])
    assert around <= 10
    for one, eight in re.findall(r"(\d+) for one client, (\d+) for 8", told):
        assert int(eight) < 2 * int(one)  # a batch, whose few copies in and out grow
