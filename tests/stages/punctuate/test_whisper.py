"""Whisper's word times, snapped to quiet stretches."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.pauses import pauses_ms
from curation.stages.punctuate.whisper import WhisperAligner, WhisperAlignerConfig, joined, quiet_stretches, snapped
from tests.support.real_speech import TWO_CITIES, librivox, wave

MFA = Path(__file__).parents[2] / "data" / "mfa"


@pytest.fixture(scope="module")
def aligner():
    made = WhisperAligner()
    made.load()
    return made


def test_times_and_pauses_agree_with_montreal_forced_aligner(aligner):
    reference = json.loads((MFA / "two_cities.json").read_text())[:48]
    samples = wave(TWO_CITIES)[: round((reference[-1][1] + 0.2) * SAMPLE_RATE)]
    placed = aligner.align(samples, [text for _, _, text in reference], "en")
    starts = np.array([place.start / SAMPLE_RATE - word[0] for place, word in zip(placed, reference, strict=True)])
    assert np.median(np.abs(starts)) < 0.08
    assert all(left.start < left.end <= right.start for left, right in pairwise(placed))
    known = [(right[0] - left[1]) * 1000 for left, right in pairwise(reference)]
    found = [index for index, pause in enumerate(pauses_ms(placed)) if pause >= 300]
    assert found
    assert all(known[index] >= 200 for index in found)
    assert len(found) >= 0.8 * sum(pause >= 300 for pause in known)


def test_a_text_that_does_not_fit_has_no_place(aligner):
    he_was_not = librivox()[1]
    assert aligner.align(he_was_not, ["he", "was", "not", "an", "ill-disposed", "young", "man"], "en")
    assert aligner.align(he_was_not, list("今天天气很好我们去公园"), "zh") is None
    assert aligner.align(he_was_not, ["one", "two"] * 60, "en") is None
    assert aligner.align(he_was_not, [], "en") is None
    assert aligner.align(np.zeros(30 * SAMPLE_RATE, np.float32), ["he"], "en") is None
    assert aligner.align(he_was_not, ["he"], "tlh") is None
    strict = WhisperAligner(WhisperAlignerConfig(min_probability=1))
    strict._model = aligner._model
    assert strict.align(he_was_not, ["he", "was", "not", "an", "ill-disposed", "young", "man"], "en") is None


def test_languages(aligner):
    assert all(map(aligner.speaks, ["zh", "zh-TW", "de", "en"]))
    assert not any(map(aligner.speaks, ["", "tlh"]))


@pytest.mark.parametrize(
    ("words", "text"),
    [(["he", "was"], " he was"), (list("他不是"), "他不是"), (["我", "用", "OK", "好"], "我用 OK 好"), ([], "")],
)
def test_words_are_joined_as_whisper_writes_them(words, text):
    assert joined(words) == text


def voice(*parts):
    """Parts of (seconds, amplitude) of noise."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=round(s * SAMPLE_RATE)) * level for s, level in parts]).astype(np.float32)


def test_quiet_stretches_lie_between_sounds():
    samples = voice((0.3, 1e-4), (1, 0.1), (0.4, 1e-4), (1, 0.1), (0.05, 1e-4), (1, 0.1), (0.3, 1e-4))
    assert quiet_stretches(samples) == [pytest.approx((1.3, 1.7), abs=0.02)]
    assert quiet_stretches(np.zeros(SAMPLE_RATE, np.float32)) == []
    assert quiet_stretches(np.zeros(0, np.float32)) == []


def test_the_nearest_boundary_gets_the_quiet_stretch():
    samples = voice((1, 0.1), (0.4, 1e-4), (1, 0.1))
    times = snapped(np.array([[0, 0.5], [0.5, 1.1], [1.1, 1.8], [1.8, 2.4]]), samples)
    assert times == pytest.approx(np.array([[0, 0.5], [0.5, 1.0], [1.4, 1.8], [1.8, 2.4]]), abs=0.02)


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=20))
def test_snapped_words_are_in_order_and_have_time(times):
    samples = voice((1, 0.1), (0.4, 1e-4), (1, 0.1))
    found = snapped(np.array(times), samples)
    assert np.all(found[:, 1] - found[:, 0] >= 0.0199)
    assert np.all(found[1:, 0] >= found[:-1, 1] - 1e-9)
    assert found[0, 0] >= 0
    assert found[-1, 1] <= len(samples) / SAMPLE_RATE
