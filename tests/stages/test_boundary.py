"""The boundary stage on real speech: whole utterances against the same cut mid-word."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Segment, fail
from curation.stages.boundary import Boundary, BoundaryConfig, cut_probabilities
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
    limit = BoundaryConfig().max_cut
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
    assert cut["boundary.cut"] == cut["boundary.start"] > BoundaryConfig().max_cut > cut["boundary.end"]
    assert whole["boundary.cut"] == max(whole["boundary.start"], whole["boundary.end"]) < BoundaryConfig().max_cut
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
