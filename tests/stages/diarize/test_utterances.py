"""Utterances of a recording, for a model of those that a build has cut."""

import numpy as np
import pytest

from curation.audio.levels import peak_normalize
from curation.manifests.records import Recording, Source
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.stage import Diarize
from curation.stages.diarize.utterances import Utterances
from tests.support.real_speech import librivox

PAUSE = 24_000


@pytest.fixture(scope="module")
def utterances():
    return Utterances()


def noisy(level, *parts):
    """The parts in noise: waves, and samples of nothing."""
    whole = np.concatenate([np.zeros(part, np.float32) if isinstance(part, int) else part for part in parts])
    return whole + level * np.random.default_rng(0).standard_normal(len(whole)).astype(np.float32)


@pytest.mark.parametrize(
    ("level", "number"),  # the stage takes the first sound of another sentence for another speaker's
    [
        (0.0, 2),
        (0.003, 2),
        pytest.param(0.0, 0, marks=pytest.mark.slow),
        pytest.param(0.003, 0, marks=pytest.mark.slow),
    ],
)
def test_they_are_those_that_a_build_cuts(utterances, diarizer, level, number):
    stage, speech = Diarize(DiarizeConfig(exclude_overlap=False)), librivox()[number]
    stage.encoder, stage.diarizer = diarizer.encoder, diarizer.diarizer
    wave = peak_normalize(noisy(level, 7000, speech, PAUSE, speech, 9000))
    recording = Recording(Source("one", "one.wav"), num_samples=len(wave), audio=wave, original=wave)
    stage.process([recording])
    assert utterances.find(wave) == [(segment.start, segment.end) for segment in recording.segments]


def test_a_pause_parts_two_and_what_is_around_them_is_left_out(utterances):
    speech = librivox()[0]
    wave = noisy(0.001, 300_000, speech, PAUSE, speech, 200_000)
    found = utterances.find(wave)
    borders = [300_000, 300_000 + len(speech), 300_000 + len(speech) + PAUSE, 300_000 + 2 * len(speech) + PAUSE]
    assert [side for place in found for side in place] == pytest.approx(borders, abs=8000)


def test_none_is_longer_than_the_rules_allow(utterances):
    speech = librivox()[0]
    assert max(end - start for start, end in utterances.find(speech)) > 4 * 16_000
    found = Utterances(DiarizeConfig(max_seconds=4.0)).find(speech)
    assert max(end - start for start, end in found) <= 4 * 16_000
    assert sum(end - start for start, end in found) > 0.8 * len(speech)


@pytest.mark.parametrize("samples", [0, 1, 100, 16_000, 160_001])
@pytest.mark.parametrize("level", [0.0, 0.01])
def test_where_nobody_speaks_there_is_none(utterances, samples, level):
    assert utterances.find(noisy(level, samples)) == []
