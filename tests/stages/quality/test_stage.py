"""Scores of utterances, measured on the recording as it was decoded."""

import itertools

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.levels import peak_normalize
from curation.audio.quality import bandwidth_hz, clipped_share, snr_db
from curation.core.errors import ModelError
from curation.manifests.records import Recording, Segment, Source, Verdict
from curation.stages.base import run_stage
from curation.stages.quality.dnsmos import WINDOW
from curation.stages.quality.stage import Quality, QualityConfig, windows
from tests.support.dummies import mix, noise, speech

OFFSET = 160_000
NOISY = mix(0.1 * speech(12.0), noise(12.0), 10.0)
PLACES = ((0, 48_000), (48_000, 192_000))
MEASURES = {"quality.snr_db": snr_db, "quality.bandwidth_hz": bandwidth_hz, "quality.clipped_share": clipped_share}


def measured(**config) -> Recording:
    """Two utterances of a later span, and one that is excluded; nothing else is heard than `original`."""
    row = Recording(Source("talk", ""), offset=OFFSET, num_samples=len(NOISY), audio=np.zeros_like(NOISY))
    row.original = NOISY
    row.segments = [Segment(OFFSET + start, OFFSET + end) for start, end in PLACES]
    row.segments.append(Segment(OFFSET, OFFSET + 100, verdict=Verdict("rejected", "diarize.min_seconds")))
    stage = Quality(QualityConfig(**config))
    stage.setup()
    run_stage(stage, [row])
    assert row.verdict is None
    return row


@pytest.fixture(scope="module")
def row() -> Recording:
    return measured()


def test_each_utterance_is_measured_as_it_was_decoded(row, dnsmos):
    assert row.segments[2].scores == {}
    for segment, (start, end) in zip(row.live_segments, PLACES, strict=True):
        wave = NOISY[start:end]
        for name, measure in MEASURES.items():
            assert segment.scores[name] == round(measure(wave), 9)
        middle = (len(wave) - 144_160) // 2
        heard = peak_normalize(wave[max(0, middle) :][:144_160])
        assert segment.scores["quality.dnsmos.ovrl"] == pytest.approx(dnsmos.score(heard, 1).ovrl, abs=1e-4)
        assert set(segment.scores) - set(MEASURES) == {f"quality.dnsmos.{key}" for key in ("sig", "bak", "ovrl")}


@given(st.lists(st.tuples(st.sampled_from(["S0", "S1"]), st.integers(1, 200_000)), max_size=12))
def test_utterances_that_share_a_window_are_neighbours_of_one_speaker_and_fit_it(spoken):
    starts = np.cumsum([0, *(length for _, length in spoken)])
    segments = [Segment(start, start + length, name) for start, (name, length) in zip(starts, spoken, strict=False)]
    groups = windows(segments)
    assert sorted(s.start for group in groups for s in group) == [s.start for s in segments]
    for group in groups:
        assert len({segment.speaker for segment in group}) == 1
        assert len(group) == 1 or sum(segment.num_samples for segment in group) <= WINDOW
    for name in ("S0", "S1"):
        own = [group for group in groups if group[0].speaker == name]
        assert [s.start for group in own for s in group] == [s.start for s in segments if s.speaker == name]
        for one, two in itertools.pairwise(own):  # no window more than is needed in this order
            assert sum(segment.num_samples for segment in [*one, two[0]]) > WINDOW


def test_without_dnsmos_there_is_no_score_of_it(row):
    quick = measured(dnsmos=False)
    for one, two in zip(quick.live_segments, row.live_segments, strict=True):
        assert set(one.scores) == set(MEASURES)
        assert one.scores.items() <= two.scores.items()


def test_another_model_is_looked_for_where_the_configuration_says(tmp_path):
    missing = f"path:{tmp_path}/none"
    Quality(QualityConfig(dnsmos_model=missing, dnsmos=False)).setup()
    with pytest.raises(ModelError, match="does not exist"):
        Quality(QualityConfig(dnsmos_model=missing)).setup()


def test_dnsmos_has_as_many_threads_as_the_configuration_says():
    stages = [Quality(QualityConfig(threads=threads)) for threads in (1, 4)]
    running = [psutil.Process().num_threads()]
    for stage in stages:
        stage.setup()
        running.append(psutil.Process().num_threads())
    assert np.diff(running).tolist() == [0, 3]


def test_a_limit_of_dnsmos_needs_its_scores():
    with pytest.raises(ValueError, match="set dnsmos to true"):
        QualityConfig(dnsmos=False, min_dnsmos=2.5)
    assert QualityConfig(dnsmos=False, min_snr_db=10).min_dnsmos is None
