"""Shards hold nearly equal time, in order, whatever the utterances are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.shards import shard_of


@given(
    lengths=st.lists(st.integers(1600, 480_000), min_size=1, max_size=300),
    count=st.integers(1, 8),
    cut=st.integers(0, 300),
)
def test_balance(lengths, count, cut):
    samples = np.array(lengths)
    total, cut = int(samples.sum()), min(cut, len(lengths))
    first = shard_of(samples[:cut], 0, total, count)
    second = shard_of(samples[cut:], int(samples[:cut].sum()), total, count)
    shards = np.r_[first, second]
    assert np.array_equal(shards, shard_of(samples, 0, total, count))
    assert (np.diff(shards) >= 0).all()
    assert shards.max() < count
    for shard in range(count):
        assert abs(samples[shards == shard].sum() - total / count) <= samples.max()
