"""Splits have the hours that were asked for, within one group of recordings that belong together."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import ConfigError
from curation.manifests.splits.components import Components, digests_of
from curation.manifests.splits.places import UNKNOWN, SplitConfig, placed
from curation.manifests.splits.sizes import Wanted, measured

HOUR = 3600 * 16_000


@pytest.mark.parametrize(
    ("text", "seconds"), [("5h", 18_000), ("30m", 1800), ("30min", 1800), ("90s", 90), (" 1.5 h ", 5400), (".5m", 30)]
)
def test_sizes_in_time(text, seconds):
    assert Wanted.parsed(text, "--dev").samples(10**12) == seconds * 16_000


def test_sizes_as_a_share():
    assert Wanted.parsed("2.5%", "--dev").samples(1000) == 25


@pytest.mark.parametrize("text", ["", "5", "h", "-5h", "5 days", "101%", "nan h", "1e3h"])
def test_what_is_no_size_says_how_to_write_one(text):
    with pytest.raises(ConfigError, match=r"--test: .* is no size: write hours"):
        Wanted.parsed(text, "--test")


def corpus(groups):
    """Recordings with kept samples, in groups that belong together."""
    oldest = np.concatenate(
        [np.full(len(group), start) for start, group in zip(np.cumsum([0, *map(len, groups)]), groups, strict=False)]
    )
    kept = np.concatenate([np.array(group, np.int64) for group in groups])
    ids = pa.array([f"r{number}" for number in range(len(kept))])
    return Components(digests_of(ids), oldest), kept


def amounts(components, kept, config):
    places = placed(components, config, np.full(len(kept), UNKNOWN, np.int8))
    return [int(kept[places == code].sum()) for code in range(3)]


@given(
    st.lists(st.lists(st.integers(1, 10**7), min_size=1, max_size=4), min_size=20, max_size=60),
    st.floats(0.01, 0.4),
    st.floats(0.01, 0.4),
)
@settings(max_examples=30, deadline=None)
def test_sizes_are_met_within_one_group_and_add_up(groups, dev, test):
    components, kept = corpus(groups)
    config = measured(components, kept, Wanted(dev, True), Wanted(test, True), SplitConfig())
    found = amounts(components, kept, config)
    total, largest = int(kept.sum()), max(map(sum, groups))
    assert sum(found) == total
    assert min(found) > 0
    assert abs(found[1] - dev * total) <= largest
    assert abs(found[2] - test * total) <= largest


def test_a_large_group_in_the_way_does_not_spoil_a_split():
    groups = [[100 * HOUR], *([HOUR // 10] for _ in range(1000))]
    for first in range(0, 1000, 100):  # where the large one lies depends on its name
        components, kept = corpus([*groups[1 : 1 + first], groups[0], *groups[1 + first :]])
        _, dev, test = amounts(
            components, kept, measured(components, kept, Wanted(18_000), Wanted(18_000), SplitConfig())
        )
        assert abs(dev - 5 * HOUR) <= HOUR // 10
        assert abs(test - 5 * HOUR) <= HOUR // 10


def test_one_split_alone_and_the_old_salt():
    components, kept = corpus([[HOUR]] * 100)
    config = measured(components, kept, Wanted(0.1, True), Wanted(0.0), SplitConfig(salt=7, by=["speaker"]))
    assert (config.salt, config.by, config.test) == (7, ["speaker"], 0.0)
    assert amounts(components, kept, config) == [90 * HOUR, 10 * HOUR, 0]


def test_what_cannot_be_divided_says_why():
    components, kept = corpus([[HOUR, HOUR, HOUR]])
    with pytest.raises(ConfigError, match=r"1 group of recordings that belong together, the largest with 3\.00 h"):
        measured(components, kept, Wanted(1800), Wanted(0), SplitConfig())
    with pytest.raises(ConfigError, match="no utterance is kept"):
        measured(components, 0 * kept, Wanted(0.1, True), Wanted(0), SplitConfig())
    with pytest.raises(ConfigError, match=r"are 4\.00 h of 3\.00 h that are kept: ask for less"):
        measured(components, kept, Wanted(7200), Wanted(7200), SplitConfig())
