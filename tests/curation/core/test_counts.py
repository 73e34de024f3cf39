"""Numbers with their nouns."""

import pytest

from curation.core.counts import counted


@pytest.mark.parametrize(("number", "text"), [(0, "0 workers"), (1, "1 worker"), (2, "2 workers"), (11, "11 workers")])
def test_only_one_is_singular(number, text):
    assert counted(number, "worker") == text
