"""Splits without leaks, over any growth: whatever belongs together is in one split, and what was held out stays so."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.core.storage import Storage
from curation.manifests.index import ShardIndex
from curation.manifests.schemas import LEDGER
from curation.manifests.splits.components import Components, digests_of, joined
from curation.manifests.splits.places import (
    SPLITS,
    UNKNOWN,
    SplitConfig,
    Splits,
    hashes,
    moved,
    placed,
    published_places,
)

GROWTH = st.lists(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8), min_size=2, max_size=5
)
"""Recordings that are added step by step, each with a speaker and a file; 0 is none."""


def grown(recordings):
    digests = digests_of(pa.array([f"r{number}" for number in range(len(recordings))], pa.string()))
    items = np.arange(len(recordings))
    links = [(items, link) for link in np.array(recordings, np.uint64).reshape(-1, 2).T]
    return Components(digests, joined(len(recordings), links))


@given(GROWTH, st.integers(0, 50), st.sampled_from([(0.3, 0.3), (0.05, 0.9), (0.5, 0.0)]))
@settings(max_examples=80, deadline=None)
def test_nothing_is_in_two_splits_and_what_is_held_out_stays(steps, salt, shares):
    config = SplitConfig(dev=shares[0], test=shares[1], salt=salt)
    recordings, places = [], np.empty(0, np.int8)
    for step in steps:
        recordings = [*recordings, *step]
        components = grown(recordings)
        before = np.r_[places, np.full(len(step), UNKNOWN, np.int8)]
        places = placed(components, config, before)
        for root in np.unique(components.oldest):
            mine = components.oldest == root
            assert len(set(places[mine].tolist())) == 1
            known = set(before[mine].tolist()) - {UNKNOWN}
            if known:
                assert places[mine][0] == max(known)  # alone: as it was; joined: the strictest of them
            else:
                assert places[root] == by_hash(components.digests[root], config)
    whole = placed(grown(recordings), config, np.full(len(recordings), UNKNOWN, np.int8))
    if len(np.unique(grown(recordings).oldest)) == len(recordings):
        assert (whole == places).all()  # nothing was joined: it is the split of all at once


def by_hash(digest, config):
    (at,) = hashes(np.array([digest]), config.salt)
    return 1 if at < config.dev else 2 if at >= 1 - config.test else 0


def test_hashes_are_even_and_depend_on_the_salt():
    digests = digests_of(pa.array([f"r{number}" for number in range(20_000)]))
    found = hashes(digests, 0)
    assert found.min() >= 0
    assert found.max() < 1
    assert abs(np.histogram(found, 10, (0, 1))[0] - 2000).max() < 200
    assert abs(np.corrcoef(found, hashes(digests, 1))[0, 1]) < 0.03


def test_more_dev_holds_what_was_dev():
    components = Components(digests_of(pa.array([f"r{number}" for number in range(500)])), np.arange(500))
    nothing = np.full(500, UNKNOWN, np.int8)
    few, many = (placed(components, SplitConfig(dev=share, test=share), nothing) for share in (0.1, 0.3))
    assert 0 < np.sum(few > 0) < np.sum(many > 0)
    assert (many[few > 0] == few[few > 0]).all()


def test_splits_of_recordings_by_id():
    ids = pa.array(["a", "b", "c"])
    digests = digests_of(ids)
    order = np.argsort(digests[:2])
    splits = Splits(digests[:2][order], np.array([1, 2], np.int8)[order])
    assert splits.of_recordings(pa.chunked_array([["c", "b"], ["a", "a"]])).to_pylist() == [
        "train",
        "test",
        "dev",
        "dev",
    ]
    nothing = Splits(np.empty(0, np.uint64), np.empty(0, np.int8))
    assert nothing.of_recordings(ids).to_pylist() == ["train"] * 3
    assert splits.fingerprint != nothing.fingerprint


def test_the_ledger_says_where_recordings_are(tmp_path):
    out = Storage(str(tmp_path))
    rows = [("a", "train"), ("a", "train"), ("b", "dev"), ("c", None)]
    table = pa.Table.from_pylist([{"recording_id": one, "split": split} for one, split in rows], schema=LEDGER)
    out.write_table("ledger/part-000000.parquet", table)
    corpus = ShardIndex([], ledger=["part-000000.parquet", "part-removed-v2.parquet"])
    ids = digests_of(pa.array(["b", "c", "a", "d"]))
    components = Components(ids, np.arange(4))
    assert [SPLITS[code] if code >= 0 else "" for code in published_places(out, corpus, components)] == [
        *("dev", "", "train", "")
    ]
    lost = replace(corpus, ledger=["part-000007.parquet", "part-000008.parquet", *corpus.ledger])
    out.write_bytes("ledger/part-000007.parquet", b"PAR1")
    assert (published_places(out, lost, components) == published_places(out, corpus, components)).all()
    now = Splits(ids[2:3], np.array([2], np.int8))
    assert moved(out, corpus, now) == {"a": "test", "b": "train"}


@pytest.mark.parametrize("shares", [{"dev": 0.6, "test": 0.6}, {"dev": -0.1}, {"by": ["voice"]}, {"salt": -1}])
def test_settings_that_cannot_be(shares):
    with pytest.raises(ValidationError):
        SplitConfig(**shares)
