"""Pairwise WER and the combination of hypotheses."""

import itertools

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis, Recording, Segment, Source
from curation.stages.base import run_stage
from curation.stages.consensus.stage import (
    Consensus,
    ConsensusConfig,
    edit_distances,
    outlier,
    pairwise_wer,
    word_error_rates,
)
from curation.stages.consensus.vote import combine, minimum_risk
from curation.text.normalize import normalizer_for

ENGLISH = normalizer_for("en")
SENTENCES = st.lists(st.sampled_from("abcde"), max_size=8)
SEVERAL = st.lists(SENTENCES, min_size=2, max_size=5)


def pwer(sentences):
    return pairwise_wer(word_error_rates(sentences))


def agreed(texts, language="en", combination="vote", confidences=None, errors=()):
    """The segment that consensus makes of one hypothesis per text."""
    confidences = confidences or [0.9] * len(texts)
    segment = Segment(0, 16000, language=language)
    segment.hypotheses = [
        Hypothesis(f"s{place}", text, language, confidence, error="broke" if place in errors else "")
        for place, (text, confidence) in enumerate(zip(texts, confidences, strict=True))
    ]
    recording = Recording(Source("r", "r.wav"), num_samples=16000, segments=[segment])
    run_stage(Consensus(ConsensusConfig(combination=combination)), [recording])
    assert recording.verdict is None
    return segment


@given(SEVERAL)
def test_pwer_is_zero_only_where_all_agree(sentences):
    value = pwer(sentences)
    assert (value == 0) == all(sentence == sentences[0] for sentence in sentences)


@given(SEVERAL, st.randoms())
def test_pwer_does_not_depend_on_the_order(sentences, random):
    shuffled = random.sample(sentences, len(sentences))
    assert pwer(shuffled) == pytest.approx(pwer(sentences))


@given(st.lists(SENTENCES.filter(bool), min_size=2, max_size=5))
def test_pwer_is_the_mean_of_the_reference_implementation(sentences):
    texts = [" ".join(sentence) for sentence in sentences]
    expected = np.mean([jiwer.wer(one, other) for one, other in itertools.permutations(texts, 2)])
    assert pwer(sentences) == pytest.approx(expected)


@given(SEVERAL)
def test_pwer_is_bounded_by_the_ratio_of_lengths(sentences):
    longest, shortest = max(map(len, sentences)), min(map(len, sentences))
    assert 0 <= pwer(sentences) <= max(1, longest / max(shortest, 1))


def test_wer_takes_the_length_of_the_reference():
    rates = word_error_rates([["a", "b", "c", "d"], ["a", "b"]])
    assert rates.tolist() == [[0, 0.5], [1.0, 0]]


def test_wer_of_an_empty_reference():
    assert word_error_rates([[], ["a", "b"], []]).tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]


def test_one_hypothesis_has_no_pwer():
    with pytest.raises(ValueError, match="two hypotheses"):
        pwer([["a"]])
    segment = agreed(["Hello there."])
    assert "pwer" not in segment.scores
    assert segment.text == "Hello there."


def test_nothing_heard_by_anyone_leaves_no_words():
    segment = agreed(["", "", "..."])
    assert segment.scores["pwer"] == 0
    assert segment.scores["text.words"] == 0


def test_no_hypotheses():
    segment = agreed([])
    assert segment.text == ""
    assert segment.scores["text.words"] == 0
    assert segment.scores["confidence"] == 0


def test_failed_systems_do_not_vote():
    segment = agreed(["the cat sat", "", "the cat sat"], errors=[1])
    assert segment.scores["pwer"] == 0
    assert segment.scores["pwer.systems"] == 2
    assert "pwer.s1" not in segment.scores


def test_mean_of_the_systems_is_pwer_and_shows_the_odd_one_out():
    segment = agreed(["the cat sat on the mat", "the cat sat on a mat", "completely different words"])
    single = [segment.scores[f"pwer.s{place}"] for place in range(3)]
    assert np.mean(single) == pytest.approx(segment.scores["pwer"], abs=1e-3)
    assert max(single) == single[2]


def test_casing_punctuation_and_numbers_are_no_disagreement():
    assert agreed(["Mr. Fox, it's 21!", "mister fox it is twenty-one"]).scores["pwer"] == 0


def test_chinese_is_compared_by_character():
    segment = agreed(["今天天气很好。", "今天天汽很好", "今天天气很好"], language="zh")
    assert segment.scores["pwer"] == pytest.approx(4 / 6 / 6, abs=1e-4)
    assert segment.text == "今天天气很好。"
    assert segment.notes["consensus.unit"] == "character"
    assert segment.notes["consensus.normalizer"] == "unicode"


def test_running_twice_gives_the_same():
    segment = agreed(["a b c", "a b d", "a c d"])
    before = (segment.text, dict(segment.scores), dict(segment.notes))
    Consensus().process([Recording(Source("r", "r.wav"), num_samples=16000, segments=[segment])])
    assert (segment.text, segment.scores, segment.notes) == before


def test_the_vote_mends_errors_that_one_system_makes():
    texts = ["And the best of time, we had.", "and the rest of times we had", "In the best of times we had."]
    assert agreed(texts, combination="mbr").text in texts
    assert agreed(texts).text.casefold().replace(",", "") in {
        "and the best of times we had.",
        "and the best of times we had",
    }


def test_the_vote_adds_and_drops_words():
    assert agreed(["we all going there", "we were all going there", "we were all going"]).text == (
        "we were all going there"
    )


def test_written_as_a_system_with_punctuation_writes_it():
    assert agreed(["hello there mr fox", "Hello there, Mr. Fox."], confidences=[0.99, 0.5]).text == (
        "Hello there, Mr. Fox."
    )


def test_ties_go_to_the_more_confident_system():
    for method in ("mbr", "vote"):
        assert agreed(["bad", "good"], combination=method, confidences=[0.4, 0.6]).text == "good"


@given(SENTENCES, st.integers(1, 4), st.floats(0, 1))
def test_agreement_is_kept_as_it_is(sentence, count, confidence):
    text = " ".join(sentence)
    segment = agreed([text] * count, confidences=[confidence] * count)
    assert segment.text == text
    assert segment.scores["confidence"] == pytest.approx(confidence, abs=1e-3)


@given(SEVERAL, st.data())
def test_the_vote_invents_nothing(sentences, data):
    confidences = data.draw(st.lists(st.floats(0, 1), min_size=len(sentences), max_size=len(sentences)))
    segment = agreed([" ".join(sentence) for sentence in sentences], confidences=confidences)
    assert set(segment.text.split()) <= {word for sentence in sentences for word in sentence}
    assert 0 <= segment.scores["confidence"] <= 1


@given(SEVERAL)
def test_minimum_risk_is_the_least_expected_error(sentences):
    weights = [1.0 + place / 10 for place in range(len(sentences))]
    risks = [
        sum(weight * Levenshtein.distance(truth, candidate) for truth, weight in zip(sentences, weights, strict=True))
        for candidate in sentences
    ]
    assert risks[minimum_risk(edit_distances(sentences), weights)] == pytest.approx(min(risks))


def test_combine_of_nothing():
    assert combine([], edit_distances([]), ENGLISH, "vote").text == ""


def test_one_sure_system_does_not_outvote_two_that_agree():
    segment = agreed(["you had it", "we had it", "we had it"], confidences=[1.0, 0.01, 0.02])
    assert segment.text == "we had it"


def test_a_system_without_confidence_has_the_least_say():
    texts = ["the cat", "the dog"]
    assert agreed(texts, confidences=[None, 0.1]).text == "the dog"
    assert agreed(["the cat", "the cat"], confidences=[None, None]).scores["confidence"] == 1


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_any_number_of_answers(count):
    segment = agreed(["The cat sat."] * count)
    assert segment.text == "The cat sat."
    assert segment.scores["pwer.systems"] == count
    assert ("pwer" in segment.scores) == (count > 1)
    assert ("consensus.outlier" in segment.scores) == (count > 2)
    assert 0 < segment.scores["confidence.calibrated"] < 1


def test_five_systems_of_which_two_fail_are_three():
    texts = ["the cat sat", "", "the cat sat", "a dog ran", ""]
    segment = agreed(texts, errors=[1, 4])
    alone = agreed(["the cat sat", "the cat sat", "a dog ran"])
    assert segment.scores["pwer"] == alone.scores["pwer"]
    assert segment.scores["confidence.calibrated"] == alone.scores["confidence.calibrated"]
    assert segment.notes["consensus.failed"] == "s1, s4"
    assert segment.notes["consensus.outlier"] == "s3"


def test_the_outlier_is_named_and_still_votes():
    segment = agreed(["the cat sat down"] * 4 + ["nothing like my words"])
    assert segment.notes["consensus.outlier"] == "s4"
    assert segment.scores["consensus.outlier"] == pytest.approx(1)
    assert segment.scores["pwer"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "texts",
    [["a b c"] * 5, ["a b c", "x y z"], ["a b c", "d e f", "g h i"], ["a b", "a b", "c d", "c d"]],
    ids=["all agree", "only two", "all differ", "two against two"],
)
def test_where_there_is_no_outlier(texts):
    assert "consensus.outlier" not in agreed(texts).notes


@given(st.lists(SENTENCES.filter(bool), min_size=3, max_size=5))
def test_margin_of_the_outlier_is_its_distance_less_that_among_the_others(sentences):
    odd, margin = outlier(word_error_rates(sentences))
    rest = [sentence for place, sentence in enumerate(sentences) if place != odd]
    count = len(sentences)
    own = (pwer(sentences) * count * (count - 1) - pwer(rest) * (count - 1) * (count - 2)) / (2 * (count - 1))
    assert margin == pytest.approx(own - pwer(rest))


def test_two_systems_have_no_outlier():
    with pytest.raises(ValueError, match="three hypotheses"):
        outlier(word_error_rates([["a"], ["b"]]))


def test_a_tie_of_the_vote_goes_to_the_choice_of_minimum_risk():
    texts = ["the big cat sits there", "the fat cat sat there", "the red cat sat there"]
    assert agreed(texts, confidences=[0.6, 0.6, 0.0]).text == texts[1]


def test_a_tie_without_the_choice_goes_to_the_heaviest_voter_then_to_the_earlier():
    def last_word(confidences):
        # s0 is the choice, since the others have two errors each of their own; y and z have two voters each.
        texts = [["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", last] for last in "xyzyz"]
        for place in range(1, 5):
            texts[place][2 * place - 2 : 2 * place] = [f"error{place}", f"other{place}"]
        return agreed([" ".join(text) for text in texts], confidences=[0.99, *confidences]).text.split()[-1]

    assert last_word([0.2, 0.8, 0.6, 0.0]) == "z"
    assert last_word([0.6, 0.8, 0.2, 0.0]) == "z"
    assert last_word([0.2, 0.0, 0.6, 0.8]) == "z"
    assert last_word([0.8, 0.2, 0.0, 0.6]) == "y"
    assert last_word([0.4, 0.4, 0.4, 0.4]) == "y"


def test_system_weights_decide_the_vote():
    heard = [Hypothesis("weak", "cat", "en", 0.9), Hypothesis("also", "cat", "en", 0.9), Hypothesis("good", "hat")]
    distances = edit_distances([["cat"], ["cat"], ["hat"]])
    assert combine(heard, distances, ENGLISH, "vote").text == "cat"
    assert combine(heard, distances, ENGLISH, "vote", {"good": 4.0}).text == "hat"
    assert combine(heard, distances, ENGLISH, "mbr", {"good": 4.0}).text == "hat"


def test_an_empty_text_has_no_confidence():
    assert agreed(["", "", ""]).scores["confidence.calibrated"] == 0
