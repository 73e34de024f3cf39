"""Features against Kaldi's definition, computed here frame by frame, and against likelihoods that MFA printed."""

import csv
import math

import numpy as np
import pytest

from curation.stages.punctuate.mfa.direct.acoustic import load_models
from curation.stages.punctuate.mfa.direct.features import as_stored, cepstra, features
from curation.stages.punctuate.mfa.direct.graph import build
from curation.stages.punctuate.mfa.direct.lexicon import Lexicon
from curation.stages.punctuate.mfa.direct.metadata import read_metadata
from curation.stages.punctuate.mfa.direct.search import best_path
from curation.stages.punctuate.mfa.textgrid import read_words
from tests.support.checkpoints.mfa_golden import GOLDEN
from tests.support.checkpoints.tiny_mfa import SETTINGS, tiny_files
from tests.support.real_speech import librivox_as_read

NOISE = np.random.default_rng(3).normal(scale=0.1, size=4000).astype(np.float32)


def meta_with(**settings):
    return read_metadata(tiny_files(features={**SETTINGS, **settings}), "tiny")


def one_frame(samples, *, energy=False):
    """13 cepstra of 400 samples by the textbook."""
    samples = samples - samples.mean()
    log_energy = math.log(np.square(samples).sum())
    emphasised = np.array([each - 0.97 * samples[max(0, at - 1)] for at, each in enumerate(samples)])
    window = [(0.5 - 0.5 * math.cos(2 * math.pi * at / 399)) ** 0.85 for at in range(400)]
    power = np.abs(np.fft.fft(np.concatenate([emphasised * window, np.zeros(112)]))) ** 2

    def mel(hertz):
        return 1127 * math.log(1 + hertz / 700)

    edges = [mel(20) + (mel(7800) - mel(20)) / 24 * number for number in range(25)]
    bands = np.zeros(23)
    for band in range(23):
        left, centre, right = edges[band : band + 3]
        for bin_ in range(256):
            at = mel(bin_ * 16000 / 512)
            if left < at < right:
                slope = (at - left) / (centre - left) if at <= centre else (right - at) / (right - centre)
                bands[band] += slope * power[bin_]
    logs = np.log(np.maximum(bands, np.finfo(np.float32).eps))
    found = []
    for order in range(13):
        total = sum(log * math.cos(math.pi / 23 * (band + 0.5) * order) for band, log in enumerate(logs))
        found.append(total * math.sqrt((1 if order == 0 else 2) / 23) * (1 + 11 * math.sin(math.pi * order / 22)))
    return [log_energy, *found[1:]] if energy else found


@pytest.mark.parametrize("energy", [False, True])
def test_cepstra_are_those_of_the_textbook(energy):
    found = cepstra(NOISE, meta_with(use_energy=energy))
    assert found.shape == (25, 13)
    samples = np.round(NOISE.astype(np.float64) * 32768)
    mirrored = np.concatenate([samples[119::-1], samples, samples[:-121:-1]])
    expected = np.array([one_frame(mirrored[160 * at : 160 * at + 400], energy=energy) for at in range(25)])
    assert np.abs(found - expected).max() <= 0.5 * (expected.max() - expected.min()) / 63  # one byte each
    assert np.median(np.abs(found - expected)) <= 0.1


def test_with_snipped_edges_all_frames_are_inside():
    snipped, whole = cepstra(NOISE, meta_with(snip_edges=True)), cepstra(NOISE, meta_with())
    assert len(snipped) == 1 + (4000 - 400) // 160
    assert len(whole) == 25
    assert cepstra(NOISE[:400], meta_with(snip_edges=True)).shape == (1, 13)


def test_storing_moves_a_value_by_less_than_a_step():
    values = np.random.default_rng(0).normal(scale=[[1, 10, 100]], size=(200, 3)).astype(np.float32)
    stored = as_stored(values)
    quartiles = np.quantile(values, [0, 0.25, 0.75, 1], axis=0)
    assert np.abs(stored - values).max(axis=0) == pytest.approx(np.diff(quartiles, axis=0).max(axis=0) / 126, rel=0.1)
    assert (as_stored(np.zeros((20, 3), np.float32)) == 0).all()
    assert as_stored(values[:5]) is not None
    assert (as_stored(values[:5]) == values[:5]).all()


def test_the_mean_is_that_of_all_utterances_of_a_speaker():
    meta = meta_with(uses_cmvn=True)
    parts = [np.full((30, 13), value, np.float32) for value in (1, 4)]
    first, second = features(parts, meta, None)
    assert np.allclose(first[:, :13], -1.5)
    assert np.allclose(second[:, :13], 1.5)
    (alone,) = features(parts[:1], meta, None)
    assert np.allclose(alone, 0)


def test_slopes():
    """Of a ramp the slope is 1, inside; of a square 2 t, and the slope of that is 2."""
    time = np.arange(30.0)
    given = np.stack([time, time**2, *np.zeros((11, 30))], axis=1).astype(np.float32)
    (found,) = features([given], meta_with(), None)
    inside = slice(4, -4)
    assert np.allclose(found[inside, 13], 1, atol=1e-4)
    assert np.allclose(found[inside, 14], 2 * time[inside], atol=1e-3)
    assert np.allclose(found[inside, 27], 2, atol=1e-3)


def test_neighbours_are_joined_and_reduced():
    meta = read_metadata(tiny_files(lda=True), "tiny")
    given = np.arange(20, dtype=np.float32)[:, None] * np.ones(13, np.float32)
    reduce = np.zeros((7, 91), np.float32)
    reduce[np.arange(7), np.arange(7) * 13] = 1  # one value of each frame of the window
    (found,) = features([given], meta, reduce)
    assert found[0].tolist() == [0, 0, 0, 0, 1, 2, 3]  # the ends are repeated
    assert found[10].tolist() == [7, 8, 9, 10, 11, 12, 13]
    shifted = np.concatenate([reduce, np.full((7, 1), 0.5)], axis=1).astype(np.float32)
    assert (features([given], meta, shifted)[0] == found + 0.5).all()


def test_log_likelihoods_are_those_that_mfa_printed():
    """Of five sentences, per frame; the path's costs count too."""
    model = load_models(GOLDEN / "acoustic.zip")[0]
    lexicon = Lexicon(GOLDEN / "dictionary.dict", model)
    files = sorted((GOLDEN / "json").glob("sense*.json"))
    with (GOLDEN / "alignment_analysis.csv").open() as file:
        printed = {row["file"]: float(row["overall_log_likelihood"]) for row in csv.DictReader(file)}
    sounds = features([cepstra(wave, model.meta) for wave in librivox_as_read()], model.meta, model.lda)
    for path, found in zip(files, sounds, strict=True):
        words = [lexicon.pronunciations(word.text) for word in read_words(path)]
        graph = build(words, lexicon.ends, model.meta.phones["sil"], model.states)
        _, score = best_path(graph, model.mixtures.log_likelihoods(found, graph.densities) / 12)
        assert score * 12 / len(found) == pytest.approx(printed[path.stem], abs=0.003)
