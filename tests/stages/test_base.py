"""How utterances are cut into batches for a system."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Segment
from curation.stages.transcribe.stage import cut_batches


@given(st.lists(st.integers(1, 40)), st.integers(1, 6), st.none() | st.floats(0.1, 60.0))
def test_batches_hold_all_in_order_within_both_limits(lengths, rows, seconds):
    segments = [Segment(0, length * SAMPLE_RATE) for length in sorted(lengths)]
    batches = cut_batches(segments, rows, seconds)
    assert [id(item) for batch in batches for item in batch] == [id(item) for item in segments]
    for batch in batches:
        assert 1 <= len(batch) <= rows
        padded = len(batch) * max(item.num_samples for item in batch) / SAMPLE_RATE
        assert seconds is None or padded <= seconds or len(batch) == 1
    for batch, after in itertools.pairwise(batches):  # no batch could have taken one more
        grown = [*batch, after[0]]
        padded = len(grown) * max(item.num_samples for item in grown) / SAMPLE_RATE
        assert len(grown) > rows or (seconds is not None and padded > seconds)


def test_short_ones_go_together_and_long_ones_alone():
    segments = [Segment(0, round(seconds * SAMPLE_RATE)) for seconds in (1, 1, 1, 2, 9, 10, 30)]
    sizes = [len(batch) for batch in cut_batches(segments, 16, 20.0)]
    assert sizes == [4, 2, 1]
