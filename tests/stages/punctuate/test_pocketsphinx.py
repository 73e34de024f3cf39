"""PocketSphinx's aligner on real recordings, against times by Montreal Forced Aligner."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.pocketsphinx import PocketSphinx, trim
from tests.support.real_speech import TWO_CITIES, librivox, wave

MFA = Path(__file__).parents[2] / "data" / "mfa"


@pytest.fixture
def aligner(punctuator):
    return punctuator.aligners[0]


def sentences():
    for path, samples in zip(sorted(MFA.glob("sense*.json")), librivox(), strict=True):
        yield json.loads(path.read_text()), samples
    yield json.loads((MFA / "two_cities.json").read_text()), wave(TWO_CITIES)


def test_times_agree_with_montreal_forced_aligner(aligner):
    differences = []
    for words, samples in sentences():
        placed = aligner.align(samples, [text for _, _, text in words], "en")
        assert all(left.end <= right.start for left, right in pairwise(placed))
        for (start, end, _), place in zip(words, placed, strict=True):
            differences += [place.start / SAMPLE_RATE - start, place.end / SAMPLE_RATE - end]
    assert np.median(np.abs(differences)) <= 0.015
    assert np.quantile(np.abs(differences), 0.95) <= 0.12


def test_long_pauses_are_found(aligner):
    words, samples = list(sentences())[-1]
    placed = aligner.align(samples, [text for _, _, text in words], "en")
    pauses = np.array(
        [
            (b[0] - a[1], (q.start - p.end) / SAMPLE_RATE)
            for (a, b), (p, q) in zip(pairwise(words), pairwise(placed), strict=True)
        ]
    )
    found = pauses[pauses[:, 0] >= 0.4, 1] >= 0.3
    assert found.mean() >= 0.9
    assert not (pauses[pauses[:, 0] < 0.05, 1] >= 0.3).any()


def test_words_unknown_to_the_dictionary_do_not_move_their_neighbours(aligner):
    samples = librivox()[2]
    known = [
        "unless",
        "to",
        "be",
        "rather",
        "cold",
        "hearted",
        "and",
        "rather",
        "selfish",
        "is",
        "to",
        "be",
        "ill",
        "disposed",
    ]
    odd = [
        "Unless,",
        "to",
        "be",
        "rather",
        "cold-hearted",
        "and",
        "rather",
        "Selfishzq",
        "—",
        "is",
        "to",
        "be",
        "ill-disposed.",
    ]
    expected = aligner.align(samples, known, "en")
    placed = aligner.align(samples, odd, "en")
    assert placed[8] is None
    assert (placed[4].start, placed[4].end) == (expected[4].start, expected[5].end)
    assert abs(placed[7].start - expected[8].start) <= 0.05 * SAMPLE_RATE
    assert abs(placed[9].start - expected[9].start) <= 0.05 * SAMPLE_RATE


def test_the_result_does_not_depend_on_what_was_aligned_before(aligner):
    corpus = [([text for _, _, text in words], samples) for words, samples in sentences()][:5]
    first = [aligner.align(samples, words, "en") for words, samples in corpus]
    again = [aligner.align(samples, words, "en") for words, samples in reversed(corpus)]
    fresh = PocketSphinx()
    assert again[::-1] == first
    assert fresh.align(corpus[2][1], corpus[2][0], "en") == first[2]


def test_what_cannot_be_aligned_gives_none(aligner):
    samples = librivox()[1]
    assert aligner.align(samples, ["日本", "—"], "en") is None
    assert aligner.align(samples, ["hello"] * 200, "en") is None
    assert aligner.align(samples, ["hallo"], "de") is None
    assert aligner.align(np.zeros(0, np.float32), ["hello"], "en") is None
    assert aligner.align(np.zeros(100, np.float32), ["hello"], "en") is None
    assert aligner.align(samples, [], "en") is None


def test_trimming_follows_energy_and_keeps_a_core():
    energy = np.full(40, -60.0)
    energy[10:20] = -20
    assert trim([(5, 25)], energy) == [(10, 20)]
    assert trim([(25, 35)], energy) == [(25, 28)]
    noise = np.full(40, -20.0)
    assert trim([(5, 25)], noise) == [(5, 25)]
