"""Rows of several decodes and tries: those that count tile the recording, and trying again makes nothing worse."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.settle import Span, settled


def decode(lengths, *, version="v", unit=0, failed=(), first=0):
    """The spans of one decode; `failed` are numbers of spans."""
    offsets = [0, *itertools.accumulate(lengths)]
    return [
        Span(
            first + number,
            number,
            offsets[number],
            length,
            number == len(lengths) - 1,
            version,
            unit,
            length if number in failed else 0,
            number in failed and not length,
        )
        for number, length in enumerate(lengths)
    ]


def test_one_decode_counts_as_it_is():
    assert settled(decode([5, 5, 3])) == [0, 1, 2]
    assert settled(decode([0], failed={0})) == [0]


def test_what_does_not_follow_is_inconsistent():
    whole = decode([5, 5, 3])
    for missing in range(3):
        assert settled([span for span in whole if span.row != missing]) is None
    assert settled([]) is None
    other = [span._replace(version="w") for span in whole[1:]]
    assert settled([whole[0], *other]) is None


def test_a_span_that_was_mended_takes_the_place_of_the_failed_one():
    first = decode([5, 5, 3], failed={1})
    again = [span for span in decode([5, 5, 3], unit=1, first=10) if span.number == 1]
    assert settled(first + again) == [0, 11, 2]


def test_a_read_error_in_one_run_and_a_whole_decode_in_the_next():
    broken = decode([5, 2, 6], failed={2})
    whole = decode([5, 5, 3], first=10)
    assert settled([broken[0], *whole[1:]]) == [0, 11, 12]
    assert settled([whole[0], *broken[1:]]) == [10, 1, 2]
    assert settled([broken[1], whole[0], whole[2]]) is None


def test_a_try_while_the_file_was_away_changes_nothing():
    first = decode([28, 4], failed={1})
    away = decode([0], failed={0}, version="", unit=1, first=10)
    assert settled(first + away) == settled(away + first) == [0, 1]


def test_another_file_wins_where_less_fails_and_no_less_is_sound():
    first = decode([28, 4], failed={1})
    assert settled(first + decode([28, 5], version="w", unit=1, first=10)) == [10, 11]
    assert settled(first + decode([10], version="w", unit=1, first=10)) == [0, 1]
    assert settled(first + decode([28, 4], version="w", unit=1, first=10, failed={1})) == [0, 1]


def test_of_equal_tries_the_later_counts():
    first, again = decode([5], failed={0}), decode([5], failed={0}, unit=1, first=10)
    assert settled(first + again) == [10]


lengths = st.lists(st.integers(1, 3), min_size=1, max_size=4)


@st.composite
def several_decodes(draw):
    spans = []
    for unit in range(draw(st.integers(1, 4))):
        cut = draw(lengths)
        failed = draw(st.sets(st.integers(0, len(cut) - 1)))
        version = draw(st.sampled_from("vw"))
        made = decode(cut, version=version, unit=unit, failed=failed, first=len(spans))
        kept = draw(st.sets(st.integers(0, len(made) - 1)))
        spans += [span._replace(row=len(spans) + place) for place, span in enumerate(made) if place in kept]
    return spans


@given(several_decodes())
def test_what_counts_tiles_the_recording_and_no_way_of_its_file_has_less_failed(spans):
    def ways():
        for size in range(1, 5):
            for way in itertools.permutations(spans, size):
                edges = [(0, 0), *((span.number + 1, span.offset + span.length) for span in way)]
                follows = all(edge == (span.number, span.offset) for edge, span in zip(edges, way, strict=False))
                if follows and [span.last for span in way] == [False] * (size - 1) + [True]:
                    yield way

    possible = [way for way in ways() if len({span.version for span in way}) == 1]
    found = settled(spans)
    assert (found is None) == (not possible)
    if found is not None:
        chosen = tuple(next(span for span in spans if span.row == row) for row in found)
        assert chosen in possible
        mine = [way for way in possible if way[0].version == chosen[0].version]
        assert sum(span.failed for span in chosen) == min(sum(span.failed for span in way) for way in mine)
