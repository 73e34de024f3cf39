"""Turns to pieces: overlap, margins, cuts and edges, on levels made by hand."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.cuts import cut_probabilities
from curation.stages.diarize.pauses import Pauses
from curation.stages.diarize.turns import Piece, Turn, TurnRules, cut_turns, whole_turn
from tests.support.real_speech import librivox

SECOND = 16_000
RULES = TurnRules(SECOND, 20 * SECOND, int(0.8 * SECOND), SECOND, int(0.3 * SECOND))


def speech(*voiced: tuple[float, float], seconds: float) -> Pauses:
    """Noise at -60 dB everywhere and at -20 dB where someone is said to speak."""
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.001, int(seconds * SECOND))
    for start, end in voiced:
        wave[int(start * SECOND) : int(end * SECOND)] *= 100
    return Pauses(wave.astype(np.float32))


def vowels(*voiced: tuple[float, float], seconds: float) -> Pauses:
    """The same with harmonics of 120 Hz."""
    time = np.arange(int(seconds * SECOND)) / SECOND
    tone = sum(np.cos(2 * np.pi * 120 * n * time) / n for n in range(1, 30))
    wave = np.random.default_rng(0).normal(0, 0.0003, len(time))
    for start, end in voiced:
        wave[int(start * SECOND) : int(end * SECOND)] += 0.1 * tone[int(start * SECOND) : int(end * SECOND)]
    return Pauses(wave.astype(np.float32))


def turns(*items: tuple[float, float, str]) -> list[Turn]:
    return [Turn(round(start * 100) * 160, round(end * 100) * 160, who) for start, end, who in items]


def seconds(pieces: list[Piece]) -> list[tuple[float, float, str, str]]:
    return [(p.start / SECOND, p.end / SECOND, p.speaker, p.kind) for p in pieces]


def near(time: float):
    return pytest.approx(time, abs=0.025)  # the level is smoothed over three frames


def test_pause_of_the_same_speaker_is_bridged_up_to_the_limit():
    level = speech((1, 3), (3.7, 5), (6, 8), seconds=9)
    cut = cut_turns(turns((1, 3, "a"), (3.7, 5, "a"), (6, 8, "a")), level, RULES)
    assert seconds(cut) == [(near(0.9), near(5.1), "a", "speech"), (near(5.9), near(8.1), "a", "speech")]


def test_another_speaker_in_between_keeps_turns_apart():
    level = speech((1, 3), (3.2, 3.6), (3.8, 6), seconds=7)
    cut = cut_turns(turns((1, 3, "a"), (3.2, 3.6, "b"), (3.8, 6, "a")), level, RULES)
    assert [(p.speaker, p.kind) for p in cut] == [("a", "speech"), ("b", "speech"), ("a", "speech")]
    assert [p.start for p in cut[1:]] == [p.end for p in cut[:-1]], "they share the pause between them"


def test_speech_next_to_overlap_ends_at_the_last_pause_before_it():
    level = speech((1, 3.2), (3.5, 6), (6.4, 9), seconds=10)
    cut = seconds(cut_turns(turns((1, 4, "a"), (3.8, 9, "b")), level, RULES))
    assert cut == [
        (near(0.9), near(3.3), "a", "speech"),
        (near(3.3), 3.8, "a", "margin"),
        (3.8, 4.0, "", "overlap"),
        (4.0, pytest.approx(4.5, abs=0.5), "b", "margin"),
        (pytest.approx(4.5, abs=0.5), near(9.1), "b", "speech"),
    ]


def test_a_word_that_overlap_cuts_without_a_pause_near_it_is_parted_from_the_whole_ones():
    level = vowels((0, 2), (2.4, 8), (8.3, 9.8), (10.1, 13), seconds=13)
    cut = seconds(cut_turns(turns((0, 11, "a"), (10.8, 13, "b")), level, replace(RULES, overlap_margin=3200)))
    assert [(start, end, who) for start, end, who, kind in cut if kind == "speech"] == [
        (0, near(9.9), "a"),
        (near(10), pytest.approx(10.7, abs=0.11), "a"),
        (pytest.approx(11.1, abs=0.11), 13, "b"),
    ]


@pytest.mark.parametrize("end", [9.05, 11.0, 12.65, 16.1, 18.05])
def test_where_a_recording_is_cut_off_in_a_word_the_utterances_before_are_whole(end):
    wave = np.concatenate(librivox())[: round(end * 100) * 160]
    level = Pauses(wave)
    assert cut_probabilities(wave)[1] > 0.5
    first, last = cut_turns([Turn(0, len(wave), "a")], level, RULES)
    assert cut_probabilities(wave, first.start, first.end)[1] <= 0.5
    assert 0 <= last.start - first.end < SECOND
    assert last.end == len(wave)
    assert last.start >= len(wave) // 2


def test_a_turn_that_ends_in_a_pause_or_is_short_is_not_parted():
    level = speech((1, 3), (3.4, 8), (9, 10), (10.2, 11.8), seconds=12)
    whole = cut_turns(turns((1, 8, "a"), (9, 11.8, "b"), (11.6, 12, "c")), level, replace(RULES, overlap_margin=0))
    assert [p.speaker for p in whole if p.kind == "speech"] == ["a", "b", "c"]


def test_long_turn_is_cut_at_its_longest_pauses():
    level = speech((0, 9), (9.2, 18), (18.6, 30), seconds=30)
    cut = seconds(cut_turns(turns((0, 30, "a")), level, RULES))
    assert cut == [(0, near(18.1), "a", "speech"), (near(18.5), 30, "a", "speech")]


def test_without_any_pause_a_long_turn_is_still_cut_and_nothing_is_lost():
    cut = cut_turns(turns((0, 50, "a")), speech((0, 50), seconds=50), RULES)
    assert sum(p.seconds for p in cut) == pytest.approx(50)
    assert all(5 <= p.seconds <= 20 for p in cut)


def test_edges_move_out_to_silence_but_never_into_another_piece():
    level = speech((1.0, 4.15), (4.3, 6), seconds=7)
    cut = seconds(cut_turns(turns((1.2, 4.0, "a"), (4.2, 6, "b")), level, RULES))
    assert cut[0][0] == near(0.9)
    assert cut[0][1] <= cut[1][0]


@pytest.mark.parametrize(("closure", "end"), [(0.07, 3.2), (0.12, 3.09)])
def test_edge_does_not_stop_in_the_closure_of_a_stop_consonant(closure, end):
    """The release of the consonant after 70 ms belongs to the word; after 120 ms of silence the word was over."""
    level = speech((1, 3.0), (3.0 + closure, 3.1), (3.12, 3.12), seconds=5)
    (piece,) = cut_turns(turns((1, 2.95, "a")), level, RULES)
    assert piece.end / SECOND == near(end)


@pytest.mark.parametrize(("first", "second"), ["ab", "ba"])
def test_overlap_stays_with_the_first_speaker_when_it_is_not_excluded(first, second):
    rules = replace(RULES, exclude_overlap=False)
    cut = cut_turns(turns((1, 4, first), (3, 6, second)), speech((1, 6), seconds=7), rules)
    assert [(p.speaker, p.kind) for p in cut] == [(first, "speech"), (second, "speech")]
    assert cut[0].end == cut[1].start == pytest.approx(4 * SECOND, abs=0.3 * SECOND)


def test_two_who_begin_together_are_one_of_them_until_he_ends():
    rules = replace(RULES, exclude_overlap=False)
    cut = cut_turns(turns((1, 3, "a"), (1, 5, "b")), speech((1, 5), seconds=6), rules)
    assert [p.speaker for p in cut] == ["a", "b"]


@pytest.mark.parametrize("shift", [-0.2, -0.05, 0.05, 0.2])
def test_a_change_of_speaker_moves_to_the_quietest_moment_on_either_side(shift):
    at = 3 + shift
    level = speech((1, at - 0.02), (at + 0.02, 5), seconds=6)
    one, two = cut_turns(turns((1, 3, "a"), (3, 5, "b")), level, RULES)
    assert one.end == two.start
    assert one.end / SECOND == pytest.approx(at, abs=0.025)


@pytest.mark.parametrize(("at", "border"), [(2.6, 3.0), (3.4, 3.0)])
def test_a_change_of_speaker_moves_no_farther_than_an_edge_may(at, border):
    level = speech((1, at - 0.02), (at + 0.02, 5), seconds=6)
    one, _ = cut_turns(turns((1, 3, "a"), (3, 5, "b")), level, RULES)
    assert abs(one.end / SECOND - border) <= 0.3


@pytest.mark.parametrize("items", [[(1, 3, "a"), (3, 3.3, "b")], [(2.7, 3, "b"), (3, 5, "a")]])
def test_a_change_of_speaker_leaves_half_of_a_short_turn(items):
    """One of the two speaks for 0.3 s: a dip 0.13 s into it is taken, one 0.2 s into it is not."""
    side = 1 if items[0][0] == 1 else -1
    for dip, taken in ((3 + side * 0.13, True), (3 + side * 0.2, False)):
        level = speech((1, dip - 0.015), (dip + 0.015, 5), seconds=6)
        one, two = cut_turns(turns(*items), level, RULES)
        assert one.end == two.start
        assert abs(one.end / SECOND - 3) <= 0.15
        assert (one.end / SECOND == pytest.approx(dip, abs=0.02)) == taken


def test_a_recording_that_begins_in_overlap_has_a_margin_after_it():
    level = speech((0, 1.5), (1.8, 4), seconds=5)
    cut = cut_turns(turns((0, 4, "a"), (0, 1, "b")), level, RULES)
    assert [p.kind for p in cut] == ["overlap", "margin", "speech"]
    assert cut[2].start / SECOND == near(1.7)


@pytest.mark.parametrize("length", [19.0, 19.7, 19.95, 20.0])
def test_no_utterance_is_longer_than_the_limit_with_its_silence(length):
    level = speech((1, 1 + length), seconds=23)
    (piece,) = cut_turns(turns((1, 1 + length, "a")), level, RULES)
    assert length <= piece.seconds <= 20
    assert piece.seconds == pytest.approx(min(length + 0.2, 20), abs=0.05)


@pytest.mark.parametrize("length", [20.01, 30.0, 41.0, 70.0])
def test_parts_of_a_long_turn_are_not_shorter_than_a_quarter_of_the_limit(length):
    pauses = np.arange(0.5, length, 1.0)  # a short pause every second
    level = speech(*[(start + 0.05, start + 0.95) for start in pauses[:-1]], seconds=length + 1)
    cut = cut_turns(turns((0, length, "a")), level, RULES)
    assert all(4.8 <= p.seconds <= 20 for p in cut)


def test_overlapped_speech_is_joined_only_where_it_touches():
    level = speech((1, 5), seconds=6)
    cut = cut_turns(turns((1, 3, "a"), (1, 3, "b"), (3.3, 5, "a"), (3.3, 5, "b")), level, RULES)
    assert seconds(cut) == [(1, 3, "", "overlap"), (3.3, 5, "", "overlap")]
    three = cut_turns(turns((1, 3, "a"), (1, 5, "b"), (3, 5, "c")), level, RULES)
    assert seconds(three) == [(1, 5, "", "overlap")]


def test_the_margin_is_as_wide_as_the_rule_says():
    """Without any pause the cut lies within the margin, and in the first half of a short stretch."""
    level = speech((1, 9), seconds=10)
    for margin in (0.5, 2.0):
        rules = replace(RULES, overlap_margin=round(margin * SECOND))
        first, side, overlap, *_ = cut_turns(turns((1, 6, "a"), (5.5, 9, "b")), level, rules)
        assert (side.kind, overlap.kind) == ("margin", "overlap")
        assert first.end == side.start
        assert 0 < 5.5 - side.start / SECOND <= margin
    wide = replace(RULES, overlap_margin=10 * SECOND)
    first, *_ = cut_turns(turns((1, 3, "a"), (2, 4, "b")), level, wide)
    assert first.end / SECOND >= 1.5


def test_speech_beside_a_pause_at_overlap_takes_silence_up_to_the_overlap():
    level = speech((1, 2.9), (3.0, 4), seconds=6)
    cut = cut_turns(turns((1, 2.9, "a"), (3.0, 4, "b"), (3.0, 4, "c")), level, RULES)
    assert [p.kind for p in cut] == ["speech", "overlap"]
    assert cut[0].end / SECOND == near(3.0)


def test_neighbours_share_the_silence_between_them():
    level = speech((1, 2), (2.16, 3), seconds=4)
    one, two = cut_turns(turns((1, 2, "a"), (2.16, 3, "b")), level, RULES)
    assert one.end == two.start == pytest.approx(2.08 * SECOND, abs=160)


def test_edges_stop_at_the_ends_of_the_recording():
    level = speech((0.1, 1.9), seconds=2)
    (piece,) = cut_turns(turns((0.1, 1.9, "a")), level, RULES)
    assert (piece.start, piece.end) == (0, 2 * SECOND)


turn_lists = st.lists(
    st.tuples(st.integers(0, 3000), st.integers(1, 1500), st.sampled_from("abc")).map(
        lambda t: Turn(t[0] * 160, min((t[0] + t[1]) * 160, 480_077), t[2])
    ),
    max_size=12,
)


@given(turn_lists, st.integers(0, 10))
def test_pieces_are_ordered_disjoint_bounded_and_of_one_speaker(items: list[Turn], seed: int):
    rng = np.random.default_rng(seed)
    loudness = np.repeat(10.0 ** rng.uniform(-4, -1, 480_077 // 1600 + 1), 1600)[:480_077]
    level = Pauses((rng.normal(0, 1, 480_077) * loudness).astype(np.float32))
    cut = cut_turns(items, level, RULES)
    assert all(0 <= p.start < p.end <= level.length for p in cut)
    assert all(one.end <= two.start for one, two in pairwise(cut))
    assert all(p.start % 160 == 0 and (p.end % 160 == 0 or p.end == level.length) for p in cut)
    speaking = np.zeros((3, level.length), bool)
    for item in items:
        speaking["abc".index(item.speaker), item.start : item.end] = True
    count = speaking.sum(axis=0)
    overlap = np.zeros(level.length, bool)
    for p in cut:
        if p.kind == "overlap":
            overlap[p.start : p.end] = True
        else:
            assert (count[p.start : p.end] <= 1).all()
        if p.kind == "speech":
            assert p.end - p.start <= RULES.max_length
            others = np.delete(speaking, "abc".index(p.speaker), axis=0)[:, p.start : p.end].any(axis=0)
            assert others.sum() <= 2 * RULES.max_edge, "only a border may have moved into the neighbour"
    assert (overlap == (count > 1)).all()


@given(turn_lists)
def test_all_speech_is_in_a_piece_or_in_a_pause(items: list[Turn]):
    """With nothing quiet anywhere, every sample that a turn covers is in some piece."""
    level = Pauses(np.sign(np.random.default_rng(0).normal(0, 1, 480_077)).astype(np.float32) * 0.1)
    level.quiet[:] = False
    covered = np.zeros(level.length, bool)
    for p in cut_turns(items, level, RULES):
        covered[p.start : p.end] = True
    assert all(covered[item.start : item.end].all() for item in items)


@given(st.lists(st.integers(5, 300), min_size=3, max_size=12), st.integers(0, 20))
def test_quick_changes_of_speaker_leave_pieces_disjoint(lengths: list[int], seed: int):
    """Each border moves to the quietest moment nearby; the one before it has moved already."""
    edges = np.cumsum([0, *lengths]) * 160
    items = [Turn(int(one), int(two), "ab"[i % 2]) for i, (one, two) in enumerate(pairwise(edges))]
    loudness = np.repeat(10.0 ** np.random.default_rng(seed).uniform(-4, -1, edges[-1] // 1600 + 1), 1600)
    cut = cut_turns(items, Pauses(loudness[: edges[-1]].astype(np.float32)), RULES)
    assert all(one.end <= two.start for one, two in pairwise(cut))
    assert sum(p.end - p.start for p in cut) == edges[-1]


TURNS = st.lists(
    st.tuples(st.integers(0, 900), st.integers(1, 300), st.sampled_from("ab")).map(
        lambda item: Turn(item[0] * 160, (item[0] + item[1]) * 160, item[2])
    ),
    max_size=5,
)


@given(TURNS, st.booleans(), st.sampled_from([SECOND, 20 * SECOND]))
def test_a_whole_turn_holds_all_speech_once(found, excluded, longest):
    level = speech((0, 12), seconds=12)
    rules = replace(RULES, exclude_overlap=excluded, max_length=longest)
    whole = whole_turn(found, level, rules)
    assert len(whole) == bool(found)
    for piece in whole:
        assert 0 <= piece.start <= min(turn.start for turn in found)
        assert max(turn.end for turn in found) <= piece.end <= level.length
        crossed = any(
            one.start < two.end and two.start < one.end for one in found for two in found if one.speaker < two.speaker
        )
        assert piece.kind == ("overlap" if crossed and excluded else "speech")
        assert (piece.speaker == "") == (piece.kind == "overlap")


def test_a_whole_turn_is_of_who_speaks_most_and_as_long_as_it_is():
    level = speech((1, 12), (13, 29), seconds=31)
    (whole,) = whole_turn(turns((1, 12, "a"), (13, 14, "a"), (14, 29, "b")), level, RULES)
    assert seconds([whole]) == [(1.0, 29.0, "b", "speech")]
