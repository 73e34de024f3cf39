"""Adaptation to a speaker: a known distortion is undone, little speech changes nothing, and the speech fits better."""

import numpy as np
import pytest

from curation.stages.punctuate.base import Spoken
from curation.stages.punctuate.mfa.direct.adaptation import MIN_FRAMES, Statistics, adapted
from curation.stages.punctuate.mfa.direct.aligner import DirectAligner
from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile
from curation.stages.punctuate.mfa.direct.mixtures import Mixtures
from curation.stages.punctuate.mfa.models import MfaConfig
from curation.stages.punctuate.mfa.textgrid import read_words
from tests.support.checkpoints.mfa_golden import GOLDEN, MODELS
from tests.support.checkpoints.tiny_mfa import mixtures
from tests.support.real_speech import librivox_as_read

RNG = np.random.default_rng(1)
MEANS = RNG.normal(scale=5, size=(12, 3))
MODEL = Mixtures(KaldiFile(b"\0B" + mixtures(MEANS, 0.25), "final.mdl"))
CHANGE = np.array([[1.2, 0.1, 0.0, 2.0], [-0.1, 0.9, 0.2, -1.0], [0.0, 0.1, 1.1, 0.5]])


def spoken_by(change, frames):
    """Frames of the model's own voice as someone else says them: under `change` they are the model's again."""
    densities = RNG.integers(0, len(MEANS), frames)
    own = MEANS[densities] + RNG.normal(scale=0.5, size=(frames, 3))
    return ((own - change[:, 3]) @ np.linalg.inv(change[:, :3]).T).astype(np.float32), densities


def test_a_distortion_is_undone():
    features, densities = spoken_by(CHANGE, 3000)
    statistics = Statistics(MODEL, MODEL)
    for at in range(0, 3000, 500):
        statistics.add(features[at : at + 500], densities[at : at + 500])
    found = statistics.transform()
    assert found == pytest.approx(CHANGE, abs=0.05)
    (changed,) = adapted([features], found)
    assert changed == pytest.approx(features @ CHANGE[:, :3].T + CHANGE[:, 3], abs=0.5)


def test_no_map_is_better():
    """Its likelihood, with the volume that it takes, is a maximum."""
    features, densities = spoken_by(CHANGE, 1000)
    statistics = Statistics(MODEL, MODEL)
    statistics.add(features, densities)
    best = statistics.transform()

    def likelihood(change):
        (changed,) = adapted([features], change)
        every = MODEL.log_likelihoods(changed, range(len(MEANS)))
        return every[np.arange(1000), densities].mean() + np.log(abs(np.linalg.det(change[:, :3])))

    for _ in range(30):
        assert likelihood(best) > likelihood(best + RNG.normal(scale=0.02, size=(3, 4)))


def test_little_speech_changes_nothing():
    features, densities = spoken_by(CHANGE, MIN_FRAMES)
    statistics = Statistics(MODEL, MODEL)
    statistics.add(features[1:], densities[1:])
    assert statistics.transform() is None
    statistics.add(features[:1], densities[:1])
    assert statistics.transform() is not None


def test_real_speech_fits_better_and_moves_little():
    """Five sentences of one reader, 13 s of speech; alone each of them has too little."""
    files = sorted((GOLDEN / "json").glob("sense*.json"))
    given = [
        Spoken(wave, [word.text for word in read_words(path)], "en", "reader")
        for wave, path in zip(librivox_as_read(), files, strict=True)
    ]
    plain, adapting = (DirectAligner(MfaConfig(**MODELS, adapt_to_speakers=adapt)) for adapt in (False, True))
    plain.load()
    adapting.load()
    before, after = plain.align_all(given), adapting.align_all(given)
    edges = [[edge for places in found for one in places for edge in (one.start, one.end)] for found in (before, after)]
    moved = np.abs(np.diff(np.array(edges), axis=0)) / 160
    assert moved.max() <= 5
    assert 0 < (moved > 0).mean() < 0.25
    alone = [Spoken(each.wave, each.words, "en") for each in given[1:2]]
    assert adapting.align_all(alone) == plain.align_all(alone)
