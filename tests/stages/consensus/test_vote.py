"""One text out of several hypotheses: the vote, minimum Bayes risk, ties."""

# ruff: noqa: RUF001 - full-width marks

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import edit_distances
from curation.stages.consensus.vote import combine, minimum_risk
from curation.text.normalize import normalizer_for, without_tags
from tests.support.agreement import agreed
from tests.support.texts.characters import ANY
from tests.support.texts.spelled import CHINESE, ENGLISH

ENGLISH_TEXT = normalizer_for("en")
ENGLISH_UNITS = ENGLISH_TEXT.units
SENTENCES = st.lists(st.sampled_from("abcde"), max_size=8)
SEVERAL = st.lists(SENTENCES, min_size=2, max_size=5)


def test_the_vote_corrects_errors_of_one_system():
    texts = ["And the best of time, we had.", "and the rest of times we had", "In the best of times we had."]
    assert agreed(texts).text == "And the best of times we had."


def test_minimum_risk_takes_the_text_with_the_fewest_expected_errors():
    """Distances: first and second 2, first and third 2, second and third 2; all alike but for the confidences."""
    texts = ["And the best of time, we had.", "and the rest of times we had", "In the best of times we had."]
    for place in range(3):
        confidences = [0.2, 0.2, 0.2]
        confidences[place] = 0.9
        assert agreed(texts, combination="mbr", confidences=confidences).text == texts[place]
    assert agreed([texts[1], texts[0], texts[0]], combination="mbr", confidences=[1.0, 0.1, 0.1]).text == texts[0]


def test_several_words_between_two_words_stay_in_order():
    """The first has the fewest errors and lacks two words that both others have."""
    texts = [
        "The old man came to dinner stayed for a month.",
        "An old man who once came to supper stays for a month.",
        "The bold man who once came for dinner stayed in a month.",
    ]
    assert agreed(texts).text == "The old man who once came to dinner stayed for a month."


def test_words_before_the_first_and_after_the_last_are_added():
    texts = [
        "old man came to dinner here",
        "the old man went to supper here now",
        "the bold man came for dinner here now",
    ]
    assert agreed(texts).text == "the old man came to dinner here now"


@pytest.mark.parametrize(
    ("language", "truth", "texts"),
    [
        ("zh", "今天天气很好。", ["今天天汽很好。", "今日天气很好。", "今天天气真好。"]),
        ("ja", "明日は雨です。", ["明日は雪です。", "昨日は雨です。", "明日も雨です。"]),
    ],
)
def test_chinese_and_japanese_vote_by_character(language, truth, texts):
    """Each system has one wrong character, so that no hypothesis is the truth, and the vote is."""
    segment = agreed(texts, language=language)
    assert truth not in texts
    assert segment.text == truth
    assert agreed(texts, language="fr").text in texts  # as words, they are three that differ


def test_the_vote_adds_and_drops_words():
    assert agreed(["we all going there", "we were all going there", "we were all going"]).text == (
        "we were all going there"
    )


def test_written_as_a_system_with_punctuation_writes_it():
    assert agreed(["hello there mr fox", "Hello there, Mr. Fox."], confidences=[0.99, 0.5]).text == (
        "Hello there, Mr. Fox."
    )


@pytest.mark.parametrize("combination", ["mbr", "vote"])
def test_of_two_the_more_confident_is_right(combination):
    for confidences, expected in [([0.4, 0.6], "good"), ([0.6, 0.4], "bad")]:
        assert agreed(["bad", "good"], combination=combination, confidences=confidences).text == expected


def test_a_tie_of_minimum_risk_goes_to_the_higher_weight():
    """Weights 0.5, 1, 0.5 and distances 2 (0-1), 1 (0-2), 3 (1-2): risks 2.5, 2.5 and 3.5."""
    texts = ["a b c d", "x y c d", "a b c z"]
    assert agreed(texts, combination="mbr", confidences=[0.0, 1.0, 0.0]).text == "x y c d"
    swapped = [texts[1], texts[0], texts[2]]
    assert agreed(swapped, combination="mbr", confidences=[1.0, 0.0, 0.0]).text == "x y c d"


@pytest.mark.parametrize("combination", ["mbr", "vote"])
def test_a_tie_with_equal_weights_goes_to_the_earlier_system(combination):
    assert agreed(["bad", "good"], combination=combination).text == "bad"
    assert agreed(["good", "bad"], combination=combination).text == "good"


def test_confidence_is_the_support_of_the_words_times_the_mean_confidence():
    """Weights are 0.5 + confidence / 2: 0.9, 0.8 and 0.7; all agree on the first word, two on the second."""
    segment = agreed(["the cat", "the cat", "the hat"], confidences=[0.8, 0.6, 0.4])
    support = (1 + (0.9 + 0.8) / 2.4) / 2
    mean = (0.9 * 0.8 + 0.8 * 0.6 + 0.7 * 0.4) / 2.4
    assert segment.scores["confidence"] == pytest.approx(support * mean, abs=1e-4)


def test_systems_without_confidence_count_for_the_support_only():
    """Weights 0.95 and 0.5: all of the one that says how sure it is, whatever the share of the other."""
    segment = agreed(["the cat", "the hat"], confidences=[0.9, None])
    assert segment.scores["confidence"] == pytest.approx((1 + 0.95 / 1.45) / 2 * 0.9, abs=1e-4)


@given(st.text(ANY, max_size=60).filter(lambda text: without_tags(text) == text))
def test_one_hypothesis_is_written_as_it_is(text):
    assert agreed([text]).text == " ".join(text.split())


def test_marks_that_stand_alone_stay_with_the_word_before():
    assert agreed(["He said \u2014 well , no", "he said well no"]).text == "He said \u2014 well , no"
    assert agreed(["今天 ，好 。"], language="zh").text == "今天 ，好 。"


@pytest.mark.parametrize("styled", ["Hello There", "hello, there", "hello there."])
def test_capitals_or_marks_alone_are_style_enough(styled):
    """The other is surer, and so the choice of minimum risk, but knows neither."""
    assert agreed([styled, "hello there"], confidences=[0.1, 0.9]).text == styled


def test_the_choice_of_minimum_risk_is_written_as_itself_where_it_has_style():
    heavier = ["Well, We Know, him", "Well, we know him."]
    assert agreed(heavier, confidences=[0.3, 0.8]).text == heavier[1]
    assert agreed(heavier, confidences=[0.8, 0.3]).text == heavier[0]


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
    assert combine([], edit_distances([]), ENGLISH_TEXT, "vote").text == ""


def test_one_sure_system_does_not_outvote_two_that_agree():
    segment = agreed(["you had it", "we had it", "we had it"], confidences=[1.0, 0.01, 0.02])
    assert segment.text == "we had it"


def test_a_system_without_confidence_has_the_least_say():
    texts = ["the cat", "the dog"]
    assert agreed(texts, confidences=[None, 0.1]).text == "the dog"
    assert agreed(["the cat", "the cat"], confidences=[None, None]).scores["confidence"] == 1


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
    assert combine(heard, distances, ENGLISH_TEXT, "vote").text == "cat"
    assert combine(heard, distances, ENGLISH_TEXT, "vote", {"good": 4.0}).text == "hat"
    assert combine(heard, distances, ENGLISH_TEXT, "mbr", {"good": 4.0}).text == "hat"


@pytest.mark.parametrize("combination", ["mbr", "vote"])
@pytest.mark.parametrize(
    "texts",
    [
        ["about sixty five people", "about 65 people", "about sixty-five people"],
        ["in nineteen eighty four", "in 1984", "in nineteen eighty-four"],
        ["he didn't go", "he did not go", "he didn\u2019t go"],
        ["the USA is", "the U.S.A. is", "the u s a is"],
        ["a US citizen", "a U.S. citizen", "a u s citizen"],
        ["at ten thirty p m", "at 10:30 p.m.", "at 10.30 pm"],
    ],
)
def test_spellings_of_the_same_are_agreement(texts, combination):
    segment = agreed(texts, combination=combination)
    assert segment.scores["pwer"] == 0
    assert segment.text in texts


@pytest.mark.parametrize(
    "texts",
    [
        ["my web site is", "my website is", "my web-site is"],
        ["an e-mail", "an email", "an e mail"],
        ["ice cream", "ice-cream", "icecream"],
    ],
)
def test_a_word_and_its_parts_are_agreement(texts):
    segment = agreed(texts)
    assert segment.scores["pwer"] == 0
    assert segment.text in texts


def test_marks_of_one_system_make_no_number_of_another():
    """Word by word it would be minus two, which none has heard."""
    assert agreed(["点-", "点二", "点二"], language="zh").text == "点二"


def test_letters_are_a_word_only_where_a_system_has_it():
    assert agreed(["vitamin a i think", "vitamin a i think"]).scores["text.words"] == 4
    assert agreed(["u s troops", "u k troops"]).scores["pwer"] > 0


def test_tags_are_stripped_before_the_vote():
    segment = agreed(["[MUSIC PLAYING]", "(music)", "\u266a\u266a"])
    assert (segment.text, segment.scores["text.words"], segment.scores["pwer"]) == ("", 0, 0)
    for combination in ("vote", "mbr"):
        assert agreed(["(laughs) Yes, I do."] * 2, combination=combination).text == "Yes, I do."


@st.composite
def _heard(draw, kinds, wordings):
    """(wording, values, texts): up to two values of one kind, which three systems spell in their ways."""
    spell, values = kinds[draw(st.sampled_from(sorted(kinds)))]
    choice = draw(st.lists(st.sampled_from(values), min_size=1, max_size=2))
    meant = [draw(st.sampled_from(choice)) for _ in range(3)]
    wording = draw(st.sampled_from(wordings))
    return meant, [wording.format(draw(st.sampled_from(spell(value)))) for value in meant]


@settings(max_examples=150)
@given(
    st.one_of(
        st.tuples(
            st.just("en"), _heard(ENGLISH, ["They said {} there", "{} of them", "So we had {}", "the {} and a few"])
        ),
        st.tuples(st.just("zh"), _heard(CHINESE, ["大约{}左右", "{}吧", "他们说{}的"])),
    )
)
def test_the_voted_number_is_that_of_a_system(case):
    """However it is spelled, and whether they agree or not; written in full as one of them writes it."""
    language, (meant, texts) = case
    segment, units = agreed(texts, language=language), normalizer_for(language).units
    assert units(segment.text) in [units(text) for text in texts]
    assert (segment.scores["pwer"] == 0) == (len(set(meant)) == 1)
    agreeing = [text for value, text in zip(meant, texts, strict=True) if meant.count(value) > 1]
    assert not agreeing or units(segment.text) == units(agreeing[0])


@given(st.lists(st.lists(st.sampled_from(["sixty", "five", "65", "fine", "wine", "people", "and", "1980", "for"]),
                         min_size=1, max_size=6).map(" ".join), min_size=2, max_size=4))  # fmt: skip
def test_no_number_is_put_together_of_several_systems(texts):
    def numbers(text):
        return [span.key for span in ENGLISH_TEXT.spans(text) if span.number]

    assert set(numbers(agreed(texts).text)) <= {number for text in texts for number in numbers(text)}
