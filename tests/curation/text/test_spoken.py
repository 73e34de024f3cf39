# ruff: noqa: RUF001 - letters of other scripts
"""What is said is written out, and nothing is lost where it cannot be."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import DataError
from curation.text.spoken import spoken


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("Dr. Smith paid $4.50.", "", "doctor Smith paid four point five dollars."),
        ("It was 25% of 30 km.", "en", "It was twenty five percent of thirty kilometers."),
        ('He said "it is 3 [sic]".', "en-GB", 'He said "it is three (sic)".'),
        ("他有1234个苹果，占25%。", "", "他有一千二百三十四个苹果，占百分之二十五。"),
        ("2021年5月3日", "zh", "二零二一年五月三日"),
        ("3時です", "", "三時です"),
        ("Es sind 3 km.", "de", "Es sind 3 km."),
        ("У меня 3 кота.", "", "У меня 3 кота."),
        ("제 번호는 3번", "", "제 번호는 3번"),
        ("У меня 3 cats.", "en", "У меня three cats."),
        ("π is over 3", "", "pi is over three"),
        ("3.", "", "three."),
        ("Plain words, as they are: “no change”?", "", "Plain words, as they are: “no change”?"),
        ("  white \n space  ", "", "white space"),
        ("", "", ""),
    ],
)
def test_what_is_said(text, language, said):
    assert spoken(text, language) == said


def test_one_word_beyond_the_rules_leaves_the_others(caplog):
    with caplog.at_level(logging.WARNING):
        said = spoken("Room 5 has `)#*,&é& and 7 chairs.")
    assert said == "Room five has `)#*,&é& and seven chairs."
    assert "beyond the rules" in caplog.text


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=12), st.sampled_from(["en", "zh", "ja", "", "xx"]))
def test_any_text_is_said_and_only_white_space_is_nothing(text, language):
    said = spoken(text, language)
    assert bool(said) == bool(text.split())
    assert said == said.strip()


def test_several_threads_say_the_same():
    texts = [f"number {index} and {7 * index}%" for index in range(60)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(spoken, texts)) == [spoken(text) for text in texts]


@pytest.mark.parametrize("language", ["", "en", "de"])
def test_what_is_no_character_is_refused(language):
    with pytest.raises(DataError, match="holds what is no character: give the text in UTF-8"):
        spoken(b"Gr\xfc\xdfe.".decode(errors="surrogateescape"), language)
