"""Pairwise WER, the odd one out, and what consensus writes into a segment."""

import itertools
import json
import math
import re
from pathlib import Path

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import stages
from curation.manifests.records import Recording, Source
from curation.stages.consensus.agreement import outlier, pairwise_wer, word_error_rates
from curation.stages.consensus.stage import Consensus
from tests.support.agreement import agreed, combined

SENTENCES = st.lists(st.sampled_from("abcde"), max_size=8)
MIXED = st.sampled_from(["我", "们", "好", "Tom", "Smith", "iPhone", "15"])
SEVERAL = st.lists(SENTENCES, min_size=2, max_size=5)


def pwer(sentences):
    return pairwise_wer(word_error_rates(sentences))


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


def test_empty_hypotheses_leave_no_words():
    segment = agreed(["", "", "..."])
    assert segment.scores["pwer"] == 0
    assert segment.scores["text.words"] == 0


def test_no_hypotheses():
    segment = agreed([])
    assert segment.text == ""
    assert segment.scores["text.words"] == 0
    assert "confidence" not in segment.scores


def test_a_lone_text_of_a_system_without_confidence_is_not_sure_of_itself():
    """Nothing is measured: the score is null, and the utterance is not kept for want of evidence against it."""
    assert "confidence" not in agreed(["Hello there."], confidences=[None]).scores
    assert agreed(["Hello there."], confidences=[0.5]).scores["confidence"] == 0.5
    assert agreed(["Hello there."] * 2, confidences=[None, None]).scores["confidence"] == 1


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
    assert segment.notes["consensus.normalizer"] == "unicode-one-script"


@pytest.mark.parametrize(
    ("texts", "published"),
    [
        (["今天天氣很好。", "今天天气很好", "今天天气很好"], "今天天氣很好。"),
        (["今天天氣很好", "今天天气很好。", "今天天氣很好"], "今天天气很好。"),
        (["看著書\uff0c\uff12\uff10\uff12\uff16", "看着书,2026"], "看著書\uff0c\uff12\uff10\uff12\uff16"),
    ],
)
def test_scripts_of_chinese_are_no_disagreement_and_the_text_is_what_a_system_wrote(texts, published):
    segment = combined(agreed(texts, language="zh"), chinese="as heard")
    assert segment.scores["pwer"] == 0.0
    assert segment.text == published


@pytest.mark.parametrize("language", ["zh", "yue", "ja"])
def test_a_corpus_of_chinese_is_in_one_script(language):
    texts = ["今天天氣很好, OK", "今天天气很好"]
    simplified = combined(agreed(texts, language=language), chinese="simplified").text
    assert simplified == ("今天天气很好, OK" if language == "zh" else texts[0])
    assert combined(agreed(texts[1:], language="zh"), chinese="traditional").text == "今天天氣很好"


def test_systems_in_another_script_vote():
    segment = agreed(["今天天汽很好", "今天天氣很好", "今日天气很好"], language="zh")
    assert segment.text == "今天天气很好"


def alone(texts, language="zh"):
    """The segment of a system that heard the first text, and the others at other speeds."""
    segment = agreed(texts[:1], language)
    segment.hypotheses[0].variants = list(texts[1:])
    return combined(segment)


@given(SEVERAL)
def test_a_system_alone_is_compared_with_itself_as_several_are_with_each_other(sentences):
    texts = [" ".join(sentence) for sentence in sentences]
    segment, several = alone(texts, "xx"), agreed(texts, "xx")
    assert segment.scores["consensus.self_inconsistency"] == several.scores["pwer"]
    assert segment.text == several.text
    assert segment.scores["pwer.systems"] == 1
    assert not [key for key in segment.scores if key.startswith("pwer") and key != "pwer.systems"]
    assert "consensus.self_inconsistency" not in several.scores
    assert combined(several).scores == several.scores


def test_texts_of_one_system_are_one_witness():
    """The calibration was fitted with each system counted once."""
    segment = alone(["今天天气很好"] * 3)
    single = agreed(["今天天气很好"], "zh")
    assert segment.scores["consensus.self_inconsistency"] == 0
    assert segment.scores["confidence.calibrated"] == single.scores["confidence.calibrated"]


def test_words_of_another_script_stay_whole():
    texts = ["我用 machine学 做 demo。", "我用 machine learning 做demo", "我用 Machine Learning 做 memo"]
    assert agreed(texts, "zh").text.lower() == "我用 machine learning 做 demo。"
    assert agreed(["我们去 iPhone 商店", "我们去 i phone 商店"], "zh").scores["pwer"] == 0


@given(st.lists(st.lists(MIXED, min_size=1), min_size=1, max_size=4))
def test_foreign_words_do_not_run_together(sentences):
    """Each text has spaces around all of them, so that none of the joined words was written by a system."""
    texts = [" ".join(sentence) for sentence in sentences]
    foreign = re.findall("[A-Za-z]+", agreed(texts, "zh").text)
    assert set(foreign) <= {"Tom", "Smith", "iPhone"}


def test_running_twice_gives_the_same():
    segment = agreed(["a b c", "a b d", "a c d"])
    before = (segment.text, dict(segment.scores), dict(segment.notes))
    Consensus().process([Recording(Source("r", "r.wav"), num_samples=16000, segments=[segment])])
    assert (segment.text, segment.scores, segment.notes) == before


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


@pytest.mark.parametrize(("wrong", "named"), [(2, False), (3, True)])
def test_an_outlier_is_15_percent_farther_from_the_others_than_they_are(wrong, named):
    same = [f"w{number}" for number in range(20)]
    other = ["x"] * wrong + same[wrong:]
    segment = agreed([" ".join(same)] * 2 + [" ".join(other)], language="xx")
    assert segment.scores["consensus.outlier"] == pytest.approx(wrong / 20)
    assert segment.notes.get("consensus.outlier") == ("s2" if named else None)


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


def test_an_empty_text_has_no_confidence():
    assert agreed(["", "", ""]).scores["confidence.calibrated"] == 0


def test_calibrated_confidence_is_the_logistic_of_what_is_known():
    """All by hand, from the definitions in the file's own order of features; the utterance lasts 2 s."""
    file = json.loads((Path(stages.__file__).parent / "consensus" / "default_calibration.json").read_text())
    confidences = [0.8, 0.6, 0.4]
    segment = agreed(["the cat sat", "the cat sat", "the hat sat"], confidences=confidences, seconds=2.0)
    weights = [0.5 + confidence / 2 for confidence in confidences]
    support = (1 + (weights[0] + weights[1]) / sum(weights) + 1) / 3
    mean = sum(weight * confidence for weight, confidence in zip(weights, confidences, strict=True)) / sum(weights)
    known = {
        "log_confidence": math.log(support * mean),
        "support": support,
        "surprise": -sum(math.log(confidence) for confidence in confidences) / 3,
        "systems": 1 / 3,
        "log_words": math.log(1 + 3),
        "log_rate": math.log((1 + 3) / 2.0),
    }
    total = file["intercept"] + sum(
        slope * (known[name] - centre) / scale
        for name, centre, scale, slope in zip(
            file["features"], file["mean"], file["scale"], file["coefficients"], strict=True
        )
    )
    # This file gives systems other than its own the weight 1.
    assert not {"s0", "s1", "s2"} & set(file["weights"])
    assert segment.scores["confidence.calibrated"] == pytest.approx(1 / (1 + math.exp(-total)), abs=1e-4)


def test_the_same_words_in_less_time_are_trusted_otherwise():
    slow, fast = (agreed(["the cat sat"] * 3, seconds=seconds) for seconds in (10.0, 0.5))
    assert slow.scores["confidence.calibrated"] != fast.scores["confidence.calibrated"]
    assert slow.scores["confidence"] == fast.scores["confidence"]


def test_a_run_with_fewer_systems_leaves_nothing_of_the_one_before():
    segment = agreed(["the cat sat down", "the cat sat down", "a dog ran off", ""], errors=[3])
    assert segment.notes["consensus.outlier"] == "s2"
    assert segment.notes["consensus.failed"] == "s3"
    assert {"pwer", "pwer.s2", "consensus.outlier"} <= set(segment.scores)
    del segment.hypotheses[2:]
    combined(segment)
    assert {key for key in segment.scores if key.startswith(("pwer", "consensus"))} == {
        "pwer",
        "pwer.systems",
        "pwer.s0",
        "pwer.s1",
    }
    assert not {"consensus.outlier", "consensus.failed"} & set(segment.notes)
    del segment.hypotheses[1:]
    combined(segment)
    assert {key for key in segment.scores if key.startswith(("pwer", "consensus"))} == {"pwer.systems"}


def test_every_setting_does_something(tmp_path):
    texts = ["the big cat sat", "the big hat sat", "a big cat sat"]
    assert agreed(texts).text == "the big cat sat"
    assert agreed(texts).notes["consensus.combination"] == "vote"
    assert agreed(texts, combination="mbr").notes["consensus.combination"] == "mbr"
    file = json.loads((Path(stages.__file__).parent / "consensus" / "default_calibration.json").read_text())
    (tmp_path / "c.json").write_text(json.dumps(file | {"weights": {"s1": 9.0}, "intercept": -30.0}))
    segment = combined(agreed(texts), calibration=f"path:{tmp_path}/c.json")
    assert segment.text == "the big hat sat"
    assert segment.scores["confidence.calibrated"] < 0.01
    assert segment.notes["consensus.calibration"].startswith("path:")


@given(st.lists(SENTENCES, min_size=2, max_size=5))
def test_the_rate_of_each_system_is_its_mean_with_the_others(sentences):
    texts = [" ".join(sentence) for sentence in sentences]
    scores = agreed(texts, language="xx").scores

    def rate(reference, hypothesis):
        if not reference:
            return float(bool(hypothesis))
        return jiwer.wer(" ".join(reference), " ".join(hypothesis))

    for place, one in enumerate(sentences):
        others = [other for index, other in enumerate(sentences) if index != place]
        both_ways = [rate(one, other) + rate(other, one) for other in others]
        assert scores[f"pwer.s{place}"] == pytest.approx(sum(both_ways) / (2 * len(others)), abs=1e-4)


def test_pwer_meets_its_threshold_as_it_is():
    """Rounded to four decimals, 151 errors in 1,007 words would be 0.15, which is rejected."""
    words = ["".join(letters) for letters in itertools.islice(itertools.product("bdgkz", repeat=6), 1_007)]
    other = [f"{word}q" if place < 151 else word for place, word in enumerate(words)]
    pwer = agreed([" ".join(words), " ".join(other)]).scores["pwer"]
    assert pwer == pytest.approx(151 / 1_007, abs=1e-8)
    assert pwer < 0.15 == round(pwer, 4)
