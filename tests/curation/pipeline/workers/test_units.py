"""Units and batches are small where there are few recordings, and large where there are millions."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.pipeline.assemble import worker_needs
from curation.pipeline.config import load_config
from curation.pipeline.workers.units import MIB, Sizes

SPAN = load_config().decode.max_span_seconds
WORKERS = 288


def sizes(recordings, *overrides):
    return Sizes.of(load_config(overrides=overrides), recordings)


AUTO = load_config()


@given(st.integers(1, 10_000_000), st.floats(0.0, 36.0))
def test_ten_million_recordings_make_at_most_200_000_staging_files(recordings, seconds):
    """As long as they are 36 s on average: 100,000 hours. The largest are 48 kHz, 24 bits, stereo."""
    total = recordings * seconds
    assert Sizes.of(AUTO, recordings).most_staging_files(recordings, total, SPAN, size=total * 288_000) <= 200_000


@given(st.integers(1, 10_000_000), st.integers(1, WORKERS))
def test_each_worker_has_a_unit_where_there_are_enough_recordings(recordings, workers):
    units = -(-recordings // Sizes.of(AUTO, recordings).unit_files)
    assert units >= min(recordings, workers)


@given(st.integers(1, 10_000_000), st.integers(1, 10_000_000))
def test_more_recordings_never_make_smaller_units_or_batches(one, other):
    small, large = (Sizes.of(AUTO, recordings) for recordings in sorted((one, other)))
    assert small.unit_files <= large.unit_files
    assert small.unit_bytes <= large.unit_bytes
    assert small.batch_seconds <= large.batch_seconds <= 2700


def staging_files(made, recordings):
    """How many a plan and the decoders make of (bytes, seconds of each span)."""
    files, unit, size = 0, [], 0
    for number, spans in [*recordings, (None, [])]:
        if unit and (number is None or len(unit) >= made.unit_files or size + number > made.unit_bytes):
            files += batches(made, itertools.chain.from_iterable(unit))
            unit, size = [], 0
        unit.append(spans)
        size += number or 0
    return files


def batches(made, spans):
    count, filled = 1, 0.0
    for seconds in spans:
        if filled and filled + seconds > made.batch_seconds:
            count, filled = count + 1, 0.0
        filled += seconds
    return count


lengths = st.lists(st.floats(0.1, SPAN), min_size=1, max_size=6)


@given(
    st.lists(st.tuples(st.integers(0, 200 * MIB), lengths), min_size=1, max_size=60),
    st.sampled_from([1, 600, 3_000, 100_000, 10_000_000]),
)
def test_no_corpus_makes_more_than_the_bound(recordings, planned):
    made = Sizes.of(AUTO, planned)
    seconds = sum(sum(spans) for _, spans in recordings)
    size = sum(number for number, _ in recordings)
    assert staging_files(made, recordings) <= made.most_staging_files(len(recordings), seconds, SPAN, size)


def test_what_the_configuration_says_holds():
    made = sizes(10_000_000, "engine.unit_files=3", "engine.unit_mib=0.5", "engine.batch_seconds=8")
    assert made == Sizes(3, MIB / 2, 8.0)
    assert sizes(12) == Sizes(1, 64 * MIB, 300.0)
    assert sizes(10_000_000) == Sizes(263, 263 * 64 * MIB, 2700.0)
    assert sizes(10_000_000, "engine.unit_files=4") == Sizes(4, 256 * MIB, 2700.0)


def test_batches_are_no_longer_than_the_memory_of_a_worker_allows():
    needs = worker_needs(AUTO).memory_gib
    short = sizes(10_000_000, f"engine.max_worker_gib={needs + 0.1}").batch_seconds
    assert 300 < short < 2700
    most = load_config(overrides=[f"engine.max_worker_gib={needs + 0.1}"])
    assert worker_needs(most, short).memory_gib == pytest.approx(needs + 0.1)
    assert sizes(10_000_000, f"engine.max_worker_gib={needs / 2}").batch_seconds == 300
    assert sizes(10_000_000, f"engine.max_worker_gib={needs / 2}", "engine.batch_seconds=900").batch_seconds == 900
