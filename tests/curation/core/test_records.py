"""Plain values as typed records: what a record takes, and what it says of others."""

import json
from dataclasses import asdict, dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.records import Count, Finite, typed
from tests.support.damage import JSON, damaged
from tests.support.texts.characters import ANY


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    size: Count = 0


@dataclass(frozen=True, slots=True)
class Outer:
    seconds: Finite
    done: bool
    inner: Inner
    parts: list[tuple[Count, Count]] = field(default_factory=list)
    sizes: dict[str, float] = field(default_factory=dict)


VALID = Outer(1.5, True, Inner("a", 3), [(0, 1), (2, 3)], {"x": float("nan")})


def test_a_record_comes_back_through_json():
    assert str(typed(Outer, json.loads(json.dumps(asdict(VALID))))) == str(VALID)


def test_whole_numbers_are_floats_and_defaults_may_be_missing():
    found = typed(Outer, {"seconds": 2, "done": False, "inner": {"name": ""}})
    assert (found.seconds, found.inner.size, found.parts) == (2.0, 0, [])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"seconds": "1"}, "seconds: input should be a valid number"),
        ({"seconds": float("inf")}, "seconds: input should be a finite number"),
        ({"seconds": True}, "seconds: input should be a valid number"),
        ({"done": 1}, "done: input should be a valid boolean"),
        ({"inner": {"size": 1}}, "no field 'inner.name'"),
        ({"inner": {"name": "a", "size": -1}}, "inner.size: input should be greater than or equal to 0"),
        ({"inner": {"name": "a", "size": 1.5}}, "inner.size: input should be a valid integer"),
        ({"parts": [[0, 1], [2]]}, "no field 'parts.1.1'"),
        ({"other": 1}, "unknown field 'other'"),
    ],
)
def test_the_problem_names_the_field(change, problem):
    with pytest.raises(ValueError, match=rf"^{problem}"):
        typed(Outer, asdict(VALID) | change)


@given(values=damaged(asdict(VALID)) | JSON)
def test_other_values_are_a_value_error_or_a_record_of_the_declared_types(values):
    try:
        found = typed(Outer, values)
    except ValueError:
        return
    assert type(found.seconds) is float
    assert type(found.done) is bool
    assert type(found.inner.size) is int
    assert all(type(number) is int for part in found.parts for number in part)


@given(values=st.dictionaries(st.text(ANY, max_size=3), st.integers(-3, 3), max_size=4))
def test_annotations_are_kinds_too(values):
    if any(value < 0 for value in values.values()):
        with pytest.raises(ValueError, match="greater than or equal to 0"):
            typed(dict[str, Count], values)
    else:
        assert typed(dict[str, Count], values) == values
