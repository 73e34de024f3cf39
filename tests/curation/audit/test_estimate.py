"""The share of wrong utterances: the interval covers the truth as often as it says."""

from dataclasses import replace

import numpy as np
import pytest

from curation.audit.estimate import estimate, share_of, wilson
from curation.core.errors import ConfigError
from curation.manifests.marks.files import Drawn, Mark


def marked(identifier, verdict, stratum="kept/en/near", size=100, weight=1.0):
    return Mark(identifier, "text", verdict=verdict, sample=Drawn(stratum, weight, size))


@pytest.mark.parametrize(("least", "most"), [(0.005, 0.02), (0.01, 0.3), (0.2, 0.5)])
def test_the_interval_covers_the_truth_in_95_of_100_corpora(least, most):
    """1,000 corpora of 4 to 11 strata of 100 to 100,000 utterances, of which 20 to 60 are heard of each."""
    draw, covered = np.random.default_rng(0), 0
    for _ in range(1000):
        strata = draw.integers(4, 12)
        sizes = (10 ** draw.uniform(2, 5, strata)).astype(int)
        rates = np.clip(draw.uniform(least, most) * draw.gamma(2, 0.5, strata), 0, 0.9)
        wrong = draw.binomial(sizes, rates)
        heard = draw.integers(20, 60, strata)
        found = draw.hypergeometric(wrong, sizes - wrong, heard)
        weights = (sizes / heard).tolist()
        answers = [
            (number < bad, weight)
            for bad, count, weight in zip(found, heard, weights, strict=True)
            for number in range(count)
        ]
        share = share_of(answers)
        covered += share.low <= wrong.sum() / sizes.sum() <= share.high
    assert 930 <= covered <= 970


def test_it_covers_the_truth_too_where_more_was_heard_of_one_stratum_than_of_another():
    """300 corpora of a small and bad, and of a large and good stratum: of 200 drawn of each all are heard, or 40."""
    draw, covered = np.random.default_rng(0), 0
    sizes, rates, heard = np.array([2_000, 50_000]), np.array([0.5, 0.05]), (200, 40)
    for _ in range(300):
        wrong = draw.binomial(sizes, rates)
        marks = [
            marked(f"{name}-{number}", "wrong" if number < bad else "right", f"kept/en/{name}", size, size / 200)
            for name, size, count, bad in zip(
                ("near", "far"), sizes.tolist(), heard, draw.hypergeometric(wrong, sizes - wrong, heard), strict=True
            )
            for number in range(count)
        ]
        found = estimate(marks)
        covered += found["low"] <= wrong.sum() / sizes.sum() <= found["high"]
    assert covered >= 0.93 * 300


def test_the_interval_of_wilson():
    assert wilson(0.5, 100) == pytest.approx((0.40383, 0.59617), abs=1e-5)
    assert wilson(0.0, 10) == pytest.approx((0.0, 0.27753), abs=1e-5)


def test_what_stands_for_more_counts_more():
    found = estimate([marked("a", "wrong", size=30), marked("b", "right", "kept/de/far", 10)])
    assert (found["share"], found["reviewed"], found["wrong"]) == (0.75, 2, 1)
    assert found["draws"] == 40**2 / (30**2 + 10**2)
    assert found["low"] < 0.75 < found["high"]
    assert list(found["strata"]) == ["kept/de/far", "kept/en/near"]


def test_what_was_rejected_and_should_not_have_been_is_not_wrong():
    drawn = Drawn("consensus.max_pwer/en/near", 1.0, 4)
    marks = [Mark(name, kind, verdict="wrong", sample=drawn) for name, kind in {"a": "accept", "b": "text"}.items()]
    assert estimate(marks, "consensus.max_pwer")["share"] == 0.5


def test_only_the_last_word_on_a_random_draw_that_is_asked_for_counts():
    marks = [
        marked("a", "wrong"),
        marked("a", "right"),
        marked("b", "wrong", "consensus.max_pwer/en/far"),
        Mark("c", "text", verdict="wrong"),
        marked("d", "wrong"),
        Mark("d", "retract"),
    ]
    assert (estimate(marks)["share"], estimate(marks)["reviewed"]) == (0.0, 1)
    assert estimate(marks, "consensus.max_pwer")["share"] == 1.0
    with pytest.raises(ConfigError, match="no mark of a random sample says right or wrong of 'failed'"):
        estimate(marks, "failed")


@pytest.mark.parametrize("found", ["sorted", "searched", "filtered", "picked", "linked"])
def test_what_was_chosen_says_nothing_of_the_rest(found):
    """Who sorts by disagreement hears the worst first: half of what is marked is wrong, and a tenth of the corpus."""
    drawn = [marked(f"r{number}", "wrong" if number < 5 else "right", size=1000) for number in range(50)]
    chosen = [replace(marked(f"s{number}", "wrong", size=1000), found=found) for number in range(45)]
    assert estimate([*chosen, *drawn]) == estimate(drawn)
    assert estimate(drawn)["share"] == pytest.approx(0.1)
    with pytest.raises(ConfigError, match="no mark of a random sample"):
        estimate(chosen)


def test_what_was_drawn_stays_drawn_when_it_is_found_again():
    """Else those of the draw that turn out wrong would leave it, and the share would be too low."""
    again = replace(marked("a", "wrong"), found="linked")
    assert estimate([marked("a", "right"), marked("b", "right"), again])["share"] == 0.5


def test_marks_that_do_not_know_the_size_of_their_stratum_have_the_weight_with_which_they_were_drawn():
    found = estimate([marked("a", "wrong", size=None, weight=3.0), marked("b", "right", size=None, weight=1.0)])
    assert found["share"] == 0.75
