"""Error rates and their intervals."""

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.text.normalize import normalizer_for
from curation.train.evaluate.scores import Edits, compare, mean, normalizer_of, rate

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "c"]), max_size=8).map(" ".join)


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=6))
def test_rates_are_those_of_jiwer_over_the_whole_set(pairs):
    compared = [compare(one, other, normalizer_of("fr", "none")) for one, other in pairs]
    references, hypotheses = (list(side) for side in zip(*pairs, strict=True))
    assert rate([one.words for one in compared]).value == pytest.approx(jiwer.wer(references, hypotheses))
    assert rate([one.characters for one in compared]).value == pytest.approx(jiwer.cer(references, hypotheses))


@given(WORDS, WORDS)
def test_edits_add_up(reference, hypothesis):
    found = compare(reference, hypothesis, normalizer_of("fr", "none"))
    for edits, said, heard in (
        (found.words, reference.split(), hypothesis.split()),
        (found.characters, reference, hypothesis),
    ):
        assert edits.length == len(said)
        assert edits.length - edits.deletions + edits.insertions == len(heard)


def test_an_empty_reference_counts_the_hypothesis():
    words = compare("...", "two words", normalizer_for("en")).words
    assert words == Edits(0, 0, 2, 0)


def test_english_is_normalised_and_chinese_is_counted_in_characters():
    english = compare("Mr. Smith has 2 dogs!", "mister smith has two dogs", normalizer_for("en"))
    assert english.words.total == english.characters.total == 0
    chinese = compare("甚至 出现,交易", "甚至出现交意", normalizer_for("zh"))
    assert chinese.words is None
    assert (chinese.characters.total, chinese.characters.length) == (1, 6)


def test_normalisation_can_be_chosen():
    assert compare("It's", "it is", normalizer_of("en", "auto")).words.total == 0
    assert compare("It's", "it is", normalizer_of("en", "unicode")).words.total > 0
    assert compare("It", "it", normalizer_of("en", "unicode")).words.total == 0
    assert compare("It", "it", normalizer_of("en", "none")).words.total == 1


def test_no_reference_no_rate():
    assert rate([Edits(0, 0, 2, 0)]) is None
    assert mean([float("nan")]) is None


def test_resamples_without_a_reference_leave_the_interval_finite():
    found = rate([Edits(0, 0, 3, 0), Edits(0, 0, 0, 5)])
    assert (found.value, found.low, found.high) == (0.6, 0.0, 0.6)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Of 60 sets of 100 utterances, each word wrong with probability 0.2, 95 % of the intervals should hold 0.2;
    fewer than 49 would be a chance of 1 in 10,000.
    """
    random = np.random.default_rng(0)
    held = 0
    for _ in range(60):
        lengths = random.integers(3, 12, 100)
        found = rate([Edits(int(random.binomial(length, 0.2)), 0, 0, int(length)) for length in lengths])
        held += found.low <= 0.2 <= found.high
        assert found.low <= found.value <= found.high
    assert held >= 49


def test_intervals_are_those_of_the_normal_distribution():
    """95 % of a mean of many values: 1.96 standard errors to either side, as a mean of 16 sets; the quantiles of 1000
    resamples are within 0.08 standard errors of it, and those of a set within 0.35 (90 % would be at 1.64).
    """
    sides = []
    for seed in range(16):
        values = np.random.default_rng(seed).normal(3, 1, 500)
        found, error = mean(list(values)), values.std() / 500**0.5
        sides.append([(values.mean() - found.low) / error, (found.high - values.mean()) / error])
    np.testing.assert_allclose(sides, 1.96, atol=0.35)
    np.testing.assert_allclose(np.mean(sides, axis=0), 1.96, atol=0.08)


@pytest.mark.parametrize("choice", ["auto", "unicode", "none"])
def test_what_is_counted_follows_from_the_language_whatever_is_normalised(choice):
    chinese, french = normalizer_of("zh", choice), normalizer_of("fr", choice)
    assert (chinese.unit, french.unit) == ("character", "word")
    assert compare("你好", "你坏", chinese).words is None
    assert compare("a b", "a c", french).words.total == 1
    assert choice == "auto" or chinese.name == french.name == choice


def test_the_mean_leaves_out_what_is_not_known():
    found = mean([1.0, float("nan"), 3.0])
    assert (found.value, found.low, found.high) == (2.0, 1.0, 3.0)
    assert mean([1.0, float("nan"), 3.0]) == found
