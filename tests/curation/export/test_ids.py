"""Names are safe, and never the same for two ids."""

import re

from hypothesis import given
from hypothesis import strategies as st

from curation.export.ids import safe
from tests.support.audit.exported import HOSTILE
from tests.support.texts.characters import ANY

NAMES = st.text(ANY) | st.from_regex(r"[a-z.-]{0,6}(-sub1|-x[0-9a-f]{32})?", fullmatch=True, alphabet=ANY)


@given(NAMES)
def test_names_are_safe_and_stay_so(name):
    made = safe(name)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,199}", made)
    assert "-sub" not in made


@given(st.lists(NAMES, unique=True, min_size=2, max_size=20))
def test_two_ids_never_have_one_name(names):
    every = [*names, *map(safe, names)]  # a corpus may hold the names that others get
    assert len({safe(name) for name in every}) == len(set(every))


def test_hostile_names_differ():
    assert len({safe(name) for name, _ in HOSTILE.values()}) == len(HOSTILE)


def test_ids_of_ours_stay():
    assert safe("talk-1f-0000008000-0000024000") == "talk-1f-0000008000-0000024000"
