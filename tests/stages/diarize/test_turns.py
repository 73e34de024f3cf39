from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.stages.diarize.pauses import Pauses
from curation.stages.diarize.turns import Piece, Turn, TurnRules, cut_turns

SECOND = 16_000
RULES = TurnRules(SECOND, 20 * SECOND, int(0.8 * SECOND), SECOND, int(0.3 * SECOND))


def speech(*voiced: tuple[float, float], seconds: float) -> Pauses:
    """Noise at -60 dB everywhere and at -20 dB where someone is said to speak."""
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.001, int(seconds * SECOND))
    for start, end in voiced:
        wave[int(start * SECOND) : int(end * SECOND)] *= 100
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


def test_edge_does_not_stop_in_the_closure_of_a_stop_consonant():
    level = speech((1, 3.0), (3.03, 3.15), seconds=5)
    (piece,) = cut_turns(turns((1, 2.95, "a")), level, RULES)
    assert piece.end / SECOND == near(3.25)


def test_overlap_stays_with_the_first_speaker_when_it_is_not_excluded():
    rules = TurnRules(SECOND, 20 * SECOND, int(0.8 * SECOND), SECOND, int(0.3 * SECOND), exclude_overlap=False)
    cut = cut_turns(turns((1, 4, "a"), (3, 6, "b")), speech((1, 6), seconds=7), rules)
    assert [(p.speaker, p.kind) for p in cut] == [("a", "speech"), ("b", "speech")]
    assert cut[0].end == cut[1].start == pytest.approx(4 * SECOND, abs=0.3 * SECOND)


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
