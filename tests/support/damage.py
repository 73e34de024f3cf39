"""Damaged JSON files: a valid one with a random value in place of any of its fields."""

import copy

from hypothesis import strategies as st

from tests.support.texts.characters import ANY

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(ANY, max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(ANY, max_size=4), inner, max_size=3),
    max_leaves=4,
)
WHOLE = ()


@st.composite
def damaged(draw, values):
    """`values` with one field, or all of it, replaced or removed."""
    values = copy.deepcopy(values)
    place = draw(st.sampled_from(sorted(places(values), key=str)))
    if place == WHOLE:
        return draw(JSON)
    holder = values
    for step in place[:-1]:
        holder = holder[step]
    if isinstance(holder, dict) and draw(st.integers(0, 4)) == 0:
        del holder[place[-1]]
    else:
        holder[place[-1]] = draw(JSON)
    return values


def places(values, path=WHOLE):
    """The paths of all fields; of a long list only those of its ends."""
    yield path
    steps = values if isinstance(values, dict) else range(len(values)) if isinstance(values, list) else ()
    for step in steps if len(steps) < 9 or isinstance(values, dict) else (0, len(values) - 1):
        yield from places(values[step], (*path, step))
