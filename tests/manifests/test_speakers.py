"""Joining speakers across spans: rules and properties; real recordings in tests/stages/diarize/test_across_spans.py."""

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from curation.manifests.speakers import join_speakers, speaker_centroids


def direction(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], dtype=np.float32)


def test_same_voice_gets_one_label_whatever_the_span_called_it():
    spans = [{"S0": direction(0), "S1": direction(80)}, {"S0": direction(78), "S1": direction(3)}]
    assert join_speakers(spans) == [{"S0": "S0", "S1": "S1"}, {"S0": "S1", "S1": "S0"}]


def test_two_speakers_of_one_span_are_never_joined():
    spans = [{"S0": direction(0), "S1": direction(5)}, {"S0": direction(2)}]
    joined = join_speakers(spans)
    assert joined[0] == {"S0": "S0", "S1": "S1"}
    assert joined[1] == {"S0": "S0"}


def test_speaker_without_embedding_stays_alone():
    spans = [{"S0": direction(0)}, {"S0": np.zeros(1, np.float32), "S1": direction(0)}, {"S0": np.zeros(1, np.float32)}]
    assert join_speakers(spans) == [{"S0": "S0"}, {"S0": "S1", "S1": "S0"}, {"S0": "S2"}]


def test_voices_at_the_threshold_are_two():
    one, other = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    assert join_speakers([{"S0": one}, {"S0": other}], threshold=1.0) == [{"S0": "S0"}, {"S0": "S1"}]


def test_spans_without_speech():
    assert join_speakers([]) == []
    assert join_speakers([{}, {"S0": direction(0)}, {}]) == [{}, {"S0": "S0"}, {}]


def test_centroid_weighs_by_seconds_and_has_length_one():
    centroids = speaker_centroids([("S0", 3.0, direction(0)), ("S1", 1.0, None), ("S0", 1.0, direction(90))])
    assert list(centroids) == ["S0", "S1"]
    np.testing.assert_allclose(centroids["S0"], np.array([3, 1]) / np.sqrt(10), rtol=1e-6)
    assert not centroids["S1"].any()


@given(
    st.lists(st.integers(0, 359), min_size=2, max_size=9, unique=True),
    st.sampled_from([0.05, 0.2, 0.5, 1.0, 1.5]),
)
def test_one_voice_in_each_span_is_average_linkage_as_scipy_knows_it(angles: list[int], threshold: float):
    """Voices in spans of their own, so that none is kept apart from another."""
    voices = np.stack([direction(angle) for angle in angles]).astype(np.float64)
    tree = linkage(squareform(np.maximum(1 - voices @ voices.T, 0), checks=False), "average")
    assume(np.abs(tree[:, 2] - threshold).min() > 1e-5)
    assume(len(tree) < 2 or np.diff(tree[:, 2]).min() > 1e-5)  # with a tie there are two right answers
    expected = fcluster(tree, threshold, "distance")
    joined = [names["S0"] for names in join_speakers([{"S0": direction(angle)} for angle in angles], threshold)]
    first = list(dict.fromkeys(expected))
    assert joined == [f"S{first.index(group)}" for group in expected]


span_lists = st.lists(st.lists(st.integers(0, 359), max_size=3), max_size=6)


@given(span_lists)
def test_labels_are_numbered_by_appearance_and_distinct_within_a_span(angles: list[list[int]]):
    spans = [{f"S{i}": direction(a) for i, a in enumerate(span)} for span in angles]
    joined = join_speakers(spans)
    assert [list(names) for names in joined] == [list(span) for span in spans]
    assert all(len(set(names.values())) == len(names) for names in joined)
    seen = list(dict.fromkeys(name for names in joined for name in names.values()))
    assert seen == [f"S{number}" for number in range(len(seen))]
    assert joined == join_speakers(spans)


@given(st.lists(st.floats(0, 8), min_size=1, max_size=8))
def test_near_voices_in_spans_of_their_own_become_one(angles: list[float]):
    joined = join_speakers([{"S0": direction(angle)} for angle in angles])
    assert {name for names in joined for name in names.values()} == {"S0"}
