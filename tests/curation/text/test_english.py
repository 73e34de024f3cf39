"""English words: as whisper-normalizer has them, but for numbers and a few abbreviations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whisper_normalizer.english import EnglishTextNormalizer

from curation.text.english import read_english
from curation.text.normalize import normalizer_for

WHISPER = EnglishTextNormalizer()
UNITS = normalizer_for("en").units
WORDS = (
    "the", "He'd", "been", "she's", "gone", "it", "'s", "didn't", "do", "n't", "Mr.", "um,", "cold-hearted", "Colour",
    "caf\u00e9", "\u2026", "-", "gonna", "hello...", "\u00abyes\u00bb", "U.S.", "John's", "(", "I'd", "a",
    "'hello'", "rock'n'roll", "well,well", "na\u00efve",
)  # fmt: skip


@given(st.lists(st.sampled_from(WORDS)).map(" ".join))
def test_texts_without_numbers_are_as_whisper_normalizer_has_them(text):
    assert UNITS(text) == [word for word in WHISPER(text).split() if any(sign.isalnum() for sign in word)]


@given(st.lists(st.sampled_from((*WORDS, "sixty", "five", "hundred", "and", "$5", "%", "10:30", "p.m.", "2nd", "MP3"))))
def test_every_written_word_is_read_once(words):
    assert sum(count for count, _, _ in read_english(words)) == len(words)


@pytest.mark.parametrize(
    "texts",
    [
        ["O.K. then", "okay then", "OK then"],
        ["3 p.m.", "three pm", "3 PM", "three p m"],
        ["you and me", "you & me"],
        ["don\u2019t", "don't", "do not"],
        ["this vs. that", "this versus that"],
        ["the colour", "the color"],
        ["Q&A", "Q & A", "Q and A"],
        ["I cannot", "I can not", "I can't"],
        ["it`s", "it\u00b4s", "it\u02bcs", "it is"],
        ["he shan't", "he shall not"],
        ["lemme and gimme", "let me and give me"],
        ["soft\u00adware", "\u200b software"],
        ["on Main St.", "on Main Street"],
        ["on 42nd St. now", "on forty-second street now"],
    ],
)
def test_writing_habits_do_not_count(texts):
    assert len({tuple(UNITS(text)) for text in texts}) == 1


def test_a_saint_is_no_street():
    assert UNITS("at St. Mary's") == UNITS("at Saint Mary's")


def test_numbers_reach_over_words_and_a_name_has_none():
    assert read_english(["About", "sixty", "five", "people", "have", "MP3s."]) == [
        (1, ("about",), False),
        (2, ("6", "5"), True),
        (1, ("people",), False),
        (1, ("have",), False),
        (1, ("mp", "3s"), False),
    ]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("5 km beside a km", ["5", "kilometers", "beside", "a", "km"]),  # only a number makes a unit of it
        ("km 5 km", ["km", "5", "kilometers"]),
        ("from $5 to $10", ["from", "5", "to", "$10"]),  # a unit on both ends of a range stands on the upper
        ("10% to 15%", ["1 0", "to", "15%"]),
        ("$5 to \u20ac10", ["$5", "to", "\u20ac10"]),
        ("he'd been", ["he had", "been"]),
        ("he'd be", ["he would", "be"]),
    ],
)
def test_what_stands_beside_a_number_or_a_word_decides_how_it_is_read(text, read):
    assert [" ".join(tokens) for _, tokens, _ in read_english(text.split())] == read
