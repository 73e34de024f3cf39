"""Rules of punctuation by pauses: examples, and properties over arbitrary text."""

# ruff: noqa: RUF001 - full-width marks
import json
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curation.text.phrases import LANGUAGES, inside_phrase
from curation.text.punctuation import Limits, refine, replay, revert, split
from tests.support.texts.characters import ANY

MFA = Path(__file__).parents[2] / "data" / "mfa"
FLUENT, PAUSE, BETWEEN = 10.0, 400.0, 150.0


def everywhere(text, pause, **options):
    return refine(text, [pause] * len(split(text).words), **options)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I came. And I saw", "I came and I saw"),
        ("it was, you know, fine.", "it was you know fine."),
        ("Really? I'm sure! OK then", "Really I'm sure OK then"),
        (
            "Mr. Smith met Dr. Jones, i.e. the U.S. man, etc. today",
            "Mr. Smith met Dr. Jones i.e. the U.S. man etc. today",
        ),
        ("J. R. R. Tolkien; see No. 5", "J. R. R. Tolkien see No. 5"),
        ("He said no. Then left", "He said no then left"),
        ("3.14, or 1,000 at 10:30, say", "3.14 or 1,000 at 10:30 say"),
        ("one, 2, 3, four", "one 2, 3 four"),
        ("see https://a.b/c?d=1, or a@b.com, please", "see https://a.b/c?d=1 or a@b.com please"),
        ('he said, "no." And (yes), well-known don’t', 'he said, "no." And (yes), well-known don’t'),
        ("she went — well, home", "she went — well home"),
        ("she went, — well —, home", "she went, — well —, home"),
        ('he said "no", and left', 'he said "no", and left'),
        ("the old (sick), man", "the old (sick), man"),
        ("¿Qué? Sí, claro", "¿Qué? Sí claro"),
        ("你好，我是。他好吗？", "你好我是他好吗？"),
        ("我用，OK，好", "我用 OK 好"),
        ("你好， 我", "你好我"),
        ("Vraiment ? oui ; non", "Vraiment oui non"),
        ("यह है। वह, नहीं", "यह है वह नहीं"),
    ],
)
def test_fluent_speech_loses_marks(text, expected):
    assert everywhere(text, FLUENT, language="en") == expected


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("yes no", "en", "yes, no"),
        ("yes. no? well-known books stop", "en", "yes. no? well-known, books, stop"),
        ('see "big" house (old) fell', "en", 'see, "big", house (old), fell'),
        ("she — home", "en", "she — home"),
        ("20% more it", "en", "20%, more, it"),
        ("20 % mehr", "de", "20 %, mehr"),
        ("20 € mehr", "de", "20 €, mehr"),
        ("20€ mehr", "de", "20€, mehr"),
        ("cost $20 more", "en", "cost, $20, more"),
        ("20 °C warm", "en", "20 °C, warm"),
        ("20° warm", "en", "20°, warm"),
        ("C++ wins", "en", "C++, wins"),
        ("x=5 fell", "en", "x=5, fell"),
        ("用 OK 好", "zh", "用，OK，好"),
        ("你好我", "zh", "你，好，我"),
        ("はい元気", "ja", "は、い、元、気"),
        ("ไทย ดี", "th", "ไทย ดี"),
    ],
)
def test_pauses_get_commas(text, language, expected):
    assert everywhere(text, PAUSE, language=language) == expected


def test_limits_are_inclusive_where_the_paper_says_so():
    assert refine("a b", [300.0])[0] == "a, b"
    assert refine("a b", [299.9])[0] == "a b"
    assert refine("a b", [200.0], limits=Limits(insert_ms=200))[0] == "a, b"
    assert refine("a, b", [50.0])[0] == "a, b"
    assert refine("a, b", [49.9])[0] == "a b"
    assert refine("a, b c", [None, None]) == ("a, b c", [])


@pytest.mark.parametrize(
    ("following", "evidence", "expected"),
    [
        ("Mary", ["It ended, Mary went"], "Mary"),
        ("Then", ["It ended then he went"], "then"),
        ("Then", [], "then"),
        ("Mary", ["it ended mary went"], "mary"),  # a writing without capitals is no evidence
        ("Monday", [], "Monday"),
        ("NASA", [], "NASA"),
        ("McDonald", [], "McDonald"),
        ("I", [], "I"),
        ("I'll", [], "I'll"),
    ],
)
def test_the_capital_after_a_removed_full_stop(following, evidence, expected):
    assert everywhere(f"It ended. {following} went", FLUENT, evidence=evidence) == f"It ended {expected} went"


def test_german_nouns_keep_their_capital_without_evidence():
    assert everywhere("Es war. Haus und", FLUENT, language="de") == "Es war Haus und"


def test_edits_say_what_where_and_why():
    text, edits = refine("It was. He went home", [20.0, 30.0, 350.0, 200.0])
    assert text == "It was he, went home"
    assert [(e.kind, e.before, e.after, e.position, e.pause_ms) for e in edits] == [
        ("remove", ". ", " ", 1, 30.0),
        ("recase", "He", "he", 2, 30.0),
        ("insert", " ", ", ", 2, 350.0),
    ]


def test_pauses_that_do_not_fit_are_an_error():
    with pytest.raises(ValueError, match="3 words need 2 pauses, got 1"):
        refine("a b c", [1.0])


def test_foreign_edits_are_an_error():
    edits = refine("a b", [400.0])[1]
    with pytest.raises(ValueError, match="does not belong"):
        replay("a. b", edits)


TEXTS = st.one_of(
    st.text(alphabet="aB I.,;:?!…'’\"()-—/%$&@1 2你好，。、ñ¿\u0301İ_", max_size=40),
    st.lists(
        st.sampled_from(
            [
                "It",
                "was",
                "Mr.",
                "e.g.",
                "3.14",
                "cold-hearted",
                "don't",
                "—",
                '"No,"',
                "你好，",
                "yes!",
                "A",
                "...",
                "www.x.y,",
            ]
        ),
        max_size=12,
    ).map(" ".join),
    st.text(ANY, max_size=30),
)


@given(TEXTS, st.data(), st.sampled_from(["en", "zh", "de", "th", ""]))
@example("and,/or it", None, "en")
def test_properties(text, data, language):
    pieces = split(text)
    assert pieces.join() == text
    pause = st.sampled_from([None, 0.0, 49.0, 50.0, 200.0, 300.0, 900.0])
    count = len(pieces.words)
    pauses = [0.0] * count if data is None else data.draw(st.lists(pause, min_size=count, max_size=count))
    share = st.sampled_from([None, 0.0, 0.4, 1.0])
    shares = () if data is None else data.draw(st.lists(share, min_size=count, max_size=count))
    refined, edits = refine(text, pauses, language=language, shares=shares)
    assert [word.casefold() for word in split(refined).words] == [word.casefold() for word in pieces.words]
    assert replay(text, edits) == refined
    assert revert(refined, edits) == text
    assert refine(refined, pauses, language=language, shares=shares) == (refined, [])
    assert split(refined).gaps[0] == pieces.gaps[0]
    assert split(refined).gaps[-1] == pieces.gaps[-1]


def test_real_pauses_of_a_reading():
    """Times by Montreal Forced Aligner; the text as Whisper writes it, with full stops where the reader breathes."""
    words = json.loads((MFA / "two_cities.json").read_text())[:36]
    text = (
        "It was the best of times, it was the worst of times it was the age of wisdom. It was, the age of foolishness "
        "it was the epoch of belief"
    )
    pieces = split(text)
    assert [word.lower() for word in pieces.words] == [word for _, _, word in words][: len(pieces.words)]
    pauses = [(after[0] - before[1]) * 1000 for before, after in pairwise(words)][: len(pieces.words) - 1]
    refined, _ = refine(text, pauses, language="en")
    assert refined == (
        "It was the best of times, it was the worst of times, it was the age of wisdom. It was the age of "
        "foolishness, it was the epoch of belief"
    )


@pytest.mark.parametrize("text", ["and,/or it", "yes;/no", "it was. so and,/or it"])
def test_a_text_is_left_alone_where_two_words_would_become_one(text):
    """Recognition artefacts: without its mark, "and,/or" would be one word, whose times nobody knows."""
    assert refine(text, [FLUENT] * 9, language="en") == (text, [])


@pytest.mark.parametrize("evidence", ["IT ENDED A MAN WENT", "it ended a man went"])
def test_writings_without_case_are_no_evidence(evidence):
    assert everywhere("It ended. A man went", FLUENT, evidence=[evidence]) == "It ended a man went"


def test_as_many_for_as_against_is_no_name():
    for count, expected in [(1, "rose"), (2, "Rose")]:
        evidence = ["The pink rose grew"] + ["The girl Rose grew"] * count
        assert everywhere("It ended. Rose went", FLUENT, evidence=evidence) == f"It ended {expected} went"


def test_a_word_at_the_start_of_a_sentence_is_no_evidence():
    assert everywhere("It ended. Rose went", FLUENT, evidence=["Rose sat. Rose went."]) == "It ended rose went"


def test_own_text_is_evidence_too():
    assert everywhere("It ended. Mary went to Mary", FLUENT) == "It ended Mary went to Mary"


@pytest.mark.parametrize(
    ("language", "mark"), [("en", ","), ("fr", ","), ("", ","), ("ar", "،"), ("fa", "،"), ("ur", "،")]
)
def test_the_comma_of_the_language(language, mark):
    assert everywhere("abc def", PAUSE, language=language) == f"abc{mark} def"


@pytest.mark.parametrize("language", ["zh-TW", "ZH", "zh-Hans-CN"])
def test_regions_and_case_of_a_language_do_not_matter(language):
    assert everywhere("你好", PAUSE, language=language) == "你，好"


def test_edits_of_another_text_are_named():
    edits = refine("It was. He went", [20.0] * 3)[1]
    with pytest.raises(ValueError, match="does not belong to the text 'a b'"):
        revert("a b", edits)


def test_a_writing_in_lower_case_is_no_evidence_against_a_name():
    evidence = ["It ended, Mary went", "it ended mary went", "we saw mary there"]
    assert everywhere("It ended. Mary went", FLUENT, evidence=evidence) == "It ended Mary went"


@given(st.sampled_from("a\u0915\u0e01\u0645\u05d0"), st.integers(0x300, 0x1ABF).map(chr))
def test_marks_of_any_script_belong_to_the_word(letter, mark):
    if unicodedata.category(mark).startswith("M"):
        assert split(f"{letter}{mark}{letter}").words == [f"{letter}{mark}{letter}"]


@pytest.mark.parametrize("text", ["यह है वह नहीं", "ที่ นี่", "مُحَمَّد قال", "தமிழ் மொழி", "cafe\u0301 ne\u0301e"])
def test_words_with_vowel_signs_and_accents_are_whole(text):
    assert split(text).words == text.split()


@pytest.mark.parametrize(
    ("share", "pause", "text", "expected"),
    [
        (1 / 3, 300.0, "so we", "so, we"),  # one of three systems wrote a mark: the pause is one
        (0.0, 600.0, "house stands", "house stands"),  # none did: the speaker looks for a word
        (0.0, 900.0, "house stands", "house stands"),
        (0.0, 699.0, "house but", "house but"),
        (0.0, 700.0, "house but", "house, but"),  # … or a clause begins
        (1.0, 299.0, "so we", "so we"),
        (2 / 3, 0.0, "Lord, as", "Lord, as"),  # most systems wrote it
        (0.5, 0.0, "Lord, as", "Lord as"),
        (0.5, 50.0, "Lord, as", "Lord, as"),
        (0.5, 0.0, "woman, he", "woman, he"),  # before a subject
        (0.0, 0.0, "woman, he", "woman, he"),
        (1 / 3, 400.0, "a, house", "a house"),  # inside a phrase
        (1.0, 400.0, "a, house", "a, house"),
    ],
)
def test_marks_of_other_systems_are_evidence(share, pause, text, expected):
    refined, edits = refine(text, [pause], language="en", shares=[share])
    assert refined == expected
    assert revert(refined, edits) == text


def test_limits_of_the_evidence():
    """Each is used as it is set."""
    marked, bare = {"language": "en", "shares": [0.5]}, {"language": "en", "shares": [0.0]}
    assert refine("Lord, as", [0.0], limits=Limits(keep_share=0.5), **marked)[0] == "Lord, as"
    assert refine("house but", [400.0], limits=Limits(unwritten_ms=400), **bare)[0] == "house, but"
    assert refine("house but", [400.0], limits=Limits(unwritten_ms=100, insert_ms=500), **bare)[0] == "house but"


LISTED = sorted(LANGUAGES)
PAUSES = st.sampled_from([None, 0.0, 49.0, 50.0, 300.0, 900.0, 5000.0])


@given(st.data(), st.sampled_from(LISTED))
def test_no_comma_comes_into_a_phrase_whatever_the_pause(data, language):
    lists = LANGUAGES[language]
    closed = sorted(lists.binds | lists.leans | lists.follows | lists.subjects | lists.opens | lists.pronouns)
    words = data.draw(st.lists(st.sampled_from([*closed, "Haus", "go"]), max_size=8))
    shares = data.draw(st.lists(st.sampled_from([None, 0.0, 0.5, 1.0]), min_size=8, max_size=8))
    text = " ".join(words)
    pauses = data.draw(st.lists(PAUSES, min_size=8, max_size=8))
    words = split(text).words
    refined, edits = refine(text, pauses * 2, language=language, shares=shares * 2)
    assert split(refined).words == words
    assert revert(refined, edits) == text
    for edit in edits:
        assert edit.kind == "insert"
        assert not inside_phrase(words[edit.position], words[edit.position + 1], language)


@given(TEXTS, st.sampled_from([*LISTED, "ja", ""]), st.sampled_from([None, 50.0, 200.0, 299.0]))
def test_a_text_without_pauses_is_unchanged(text, language, pause):
    count = len(split(text).words)
    assert refine(text, [pause] * count, language=language) == (text, [])
    assert refine(text, [pause] * count, language=language, shares=[1.0] * count) == (text, [])
