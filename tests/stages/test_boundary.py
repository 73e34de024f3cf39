"""The boundary stage on real speech: whole utterances against the same cut mid-word."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Segment, fail
from curation.manifests.schemas import VERDICTS
from curation.manifests.verdicts import judge
from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of
from curation.stages.boundary import Boundary, BoundaryConfig, cut_probabilities, edge_levels
from tests.support.real_speech import TWO_CITIES, librivox, recording, wave

MFA = Path(__file__).parents[1] / "data" / "mfa"


def middles(samples, name):
    """LibriVox sentence -> (sentence, sentence from the middle of a word, sentence to the middle of a word) …"""
    words = [word for word in json.loads((MFA / name).read_text()) if word[1] - word[0] >= 0.2]
    for start, end, _ in words[1:-1]:
        at = round((start + end) / 2 * SAMPLE_RATE)
        yield samples[at:], 0
        yield samples[:at], 1


def test_cut_words_score_higher_than_the_ends_of_the_same_sentences():
    whole, cut = [], []
    for path, samples in zip(sorted(MFA.glob("sense*.json")), librivox(), strict=True):
        whole += cut_probabilities(samples)
        cut += [cut_probabilities(part)[side] for part, side in middles(samples, path.name) if len(part) > SAMPLE_RATE]
    limit = 0.8  # of the default configuration, see below
    assert roc_auc_score([0] * len(whole) + [1] * len(cut), whole + cut) > 0.97
    assert max(whole) < limit
    assert np.mean(np.array(cut) > limit) > 0.75


def test_scores_and_no_verdict():
    samples = wave(TWO_CITIES)
    made = recording(samples)
    inside = round(5.9 * SAMPLE_RATE)  # "wisdom"
    after = round(6.4 * SAMPLE_RATE)
    made.segments = [Segment(inside, after), Segment(0, 9), Segment(0, after, audio=samples[:after])]
    made.segments[1].verdict = fail("x", "y")
    Boundary().process([made])
    cut, failed, whole = (segment.scores for segment in made.segments)
    assert cut["boundary.cut"] == cut["boundary.start"] > 0.8 > cut["boundary.end"]
    assert whole["boundary.cut"] == max(whole["boundary.start"], whole["boundary.end"]) < 0.8
    assert failed == {}
    assert made.segments[0].verdict is None


@given(st.floats(-30, 20))
def test_gain_does_not_matter(gain_db):
    samples = librivox()[0]
    assert cut_probabilities(samples * np.float32(10 ** (gain_db / 20))) == pytest.approx(
        cut_probabilities(samples), abs=1e-3
    )


def test_reversal_swaps_the_edges():
    samples = librivox()[1][: 160 * 250]
    assert cut_probabilities(samples[::-1]) == pytest.approx(cut_probabilities(samples)[::-1])


@pytest.mark.parametrize("count", [0, 1, 100, 4000])
def test_silence_and_scraps_are_no_cuts_and_no_errors(count):
    assert max(cut_probabilities(np.zeros(count, np.float32))) < 0.5
    start, end = cut_probabilities(np.full(count, 0.1, np.float32))
    assert 0 <= start <= 1
    assert 0 <= end <= 1


def verdicts(*overrides):
    """What the rules make of utterances that are certain but for their edges."""
    scores = {"transcribe.systems": 3.0, "text.words": 5.0, "pwer": 0.05, "confidence.calibrated": 0.9}
    rows = [list({**scores, "boundary.cut": cut}.items()) for cut in (0.5, 0.79, 0.81, 0.95)]
    maps = pa.array(rows, pa.map_(pa.string(), pa.float64()))
    found = judge(maps, pa.array([None] * 4, pa.struct(list(VERDICTS))), rules_of(load_config(overrides=overrides)))
    return ["" if row["status"] == "kept" else row["reason"] for row in found.to_pylist()]


def test_utterances_are_rejected_above_the_limit():
    over = "boundary.max_cut"
    assert verdicts() == ["", "", over, over]
    assert verdicts("boundary.max_cut=0.9") == ["", "", "", over]
    assert verdicts("boundary.max_cut=0.6") == ["", over, over, over]


def noise(*parts):
    """White noise: (frames of 10 ms, dB) one after another."""
    generator = np.random.default_rng(0)
    return np.concatenate([generator.standard_normal(160 * frames) * 10 ** (db / 20) for frames, db in parts]).astype(
        np.float32
    )


def test_edge_levels_are_0_at_the_floor_and_1_at_the_speech_level():
    start, end = edge_levels(noise((20, -60.0), (100, -20.0)))
    assert start == pytest.approx(0, abs=0.05)
    assert end == pytest.approx(1, abs=0.05)
    start, end = edge_levels(noise((20, -40.0), (100, -20.0), (20, -60.0)))
    assert start == pytest.approx(0.5, abs=0.05)
    assert end == pytest.approx(0, abs=0.05)


def test_digital_silence_is_no_better_a_pause_than_a_quiet_room():
    """The floor is at most 50 dB below the speech level: an edge 40 dB below it is at 0.2 of the range."""
    start, _ = edge_levels(noise((5, -60.0), (100, -20.0), (20, -300.0)))
    assert start == pytest.approx(0.2, abs=0.05)


def test_without_contrast_there_is_no_evidence():
    """Within 2 dB the edges stay well below what a cut word has, since the range is 6 dB at least."""
    start, end = edge_levels(noise((20, -21.5), (100, -20.0), (20, -21.5)))
    assert max(start, end) < 0.2
    start, end = edge_levels(noise((100, -20.0)))
    assert max(start, end) < 0.4


def test_equal_chances_at_the_offset_of_the_fit():
    """0.356 of the range, and 6.6 for the slope: at 0.5 the odds are exp(6.6 x 0.144)."""
    start, _ = cut_probabilities(noise((20, -40.0), (100, -20.0), (20, -60.0)))
    assert start == pytest.approx(1 / (1 + np.exp(-6.6 * (0.5 - 0.356))), abs=0.08)
    start, _ = cut_probabilities(noise((20, -60.0 + 0.356 * 40), (100, -20.0), (20, -60.0)))
    assert start == pytest.approx(0.5, abs=0.08)


def test_the_audio_of_the_utterance_counts_and_not_that_of_the_recording():
    made = recording(noise((100, -20.0), (50, -60.0)))
    own = noise((20, -60.0), (100, -20.0), (20, -60.0))
    made.segments = [Segment(0, 16_000, audio=own), Segment(0, 24_000)]
    Boundary().process([made])
    with_audio, without = (segment.scores for segment in made.segments)
    assert with_audio["boundary.start"] < 0.2
    assert without["boundary.start"] > 0.8


def test_the_configuration_is_kept():
    assert Boundary(BoundaryConfig(max_cut=0.5)).config.max_cut == 0.5
    assert Boundary().config == BoundaryConfig()
