"""Mixtures against the density of the textbook, whatever is asked at once."""

import math

import numpy as np
import pytest

from curation.stages.punctuate.mfa.direct import mixtures as mixtures_module
from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile
from curation.stages.punctuate.mfa.direct.mixtures import Mixtures
from tests.support.checkpoints.tiny_mfa import matrix, number, token, vector

RNG = np.random.default_rng(5)
PARTS = [
    (weights / weights.sum(), RNG.normal(size=(len(weights), 3)), RNG.uniform(0.5, 2, (len(weights), 3)))
    for weights in (RNG.uniform(0.1, 1, count) for count in (1, 4, 2))
]
FRAMES = RNG.normal(size=(7, 3)).astype(np.float32)


@pytest.fixture
def mixtures():
    body = token("<DIMENSION>") + number(3) + token("<NUMPDFS>") + number(len(PARTS))
    for weights, means, variances in PARTS:
        body += token("<DiagGMMBegin>", "<WEIGHTS>") + vector(weights) + token("<MEANS_INVVARS>")
        body += matrix(means / variances) + token("<INV_VARS>") + matrix(1 / variances) + token("<DiagGMMEnd>")
    return Mixtures(KaldiFile(b"\0B" + body, "final.mdl"))


def gaussian(frame, mean, variance):
    terms = (
        -0.5 * (math.log(2 * math.pi * v) + (x - m) ** 2 / v) for x, m, v in zip(frame, mean, variance, strict=True)
    )
    return math.exp(sum(terms))


def density(frame, part):
    return sum(weight * gaussian(frame, mean, variance) for weight, mean, variance in zip(*part, strict=True))


def test_log_likelihoods(mixtures, monkeypatch):
    expected = [[math.log(density(frame, PARTS[number])) for number in (2, 0, 1)] for frame in FRAMES]
    found = mixtures.log_likelihoods(FRAMES, [2, 0, 1])
    assert found == pytest.approx(np.array(expected), abs=1e-4)
    monkeypatch.setattr(mixtures_module, "BLOCK", 4)
    assert mixtures.log_likelihoods(FRAMES, [2, 0, 1]) == pytest.approx(found, abs=1e-5)
    assert mixtures.log_likelihoods(FRAMES, [1])[:, 0] == pytest.approx(found[:, 2], abs=1e-5)
    assert len(mixtures) == 3


def test_the_best_gaussian_of_all(mixtures, monkeypatch):
    monkeypatch.setattr(mixtures_module, "BLOCK", 8)
    each = [row for part in PARTS for row in zip(*part, strict=True)]
    expected = [max(math.log(w * gaussian(frame, m, v)) for w, m, v in each) for frame in FRAMES]
    assert mixtures.best(FRAMES) == pytest.approx(expected, abs=1e-4)


def test_the_share_of_each_gaussian_of_a_density(mixtures):
    for which, part in enumerate(PARTS):
        each = [[w * gaussian(frame, m, v) for w, m, v in zip(*part, strict=True)] for frame in FRAMES]
        expected = np.array(each) / np.sum(each, axis=1, keepdims=True)
        assert mixtures.shares(FRAMES, which) == pytest.approx(expected, abs=1e-4)


def test_boosting(mixtures):
    before = mixtures.log_likelihoods(FRAMES, [0, 1, 2])
    mixtures.boost([1], 3.0)
    change = mixtures.log_likelihoods(FRAMES, [0, 1, 2]) - before
    assert change == pytest.approx(np.tile([0, math.log(3), 0], (7, 1)), abs=1e-5)
