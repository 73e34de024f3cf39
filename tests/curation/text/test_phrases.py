"""Phrases in which no comma stands."""

import pytest

from curation.text.phrases import LANGUAGES, inside_phrase, is_subject, opens_clause


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("the house", "en"),
        ("An hour", "en"),
        ("my friend", "en"),
        ("about general", "en"),
        ("into that", "en"),
        ("people of", "en"),
        ("would go", "en"),
        ("don\u2019t know", "en"),
        ("I apparently", "en"),
        ("It would", "en"),
        ("and then", "en"),
        ("to see", "en-GB"),
        ("eine Frau", "de"),
        ("hat gesagt", "de"),
        ("je sais", "fr"),
        ("la maison", "fr"),
        ("ne sait", "fr"),
        ("el hombre", "es"),
        ("我 的", "zh"),
        ("把 它", "zh-TW"),
        ("two hundred", "en"),
        ("sixty five", "en"),
        ("five point", "en"),
        ("point two", "en"),
        ("47 percent", "en"),
        ("Mr Smith", "en"),
        ("2.5 million", "en"),
        ("三 百", "zh"),
        ("十 万", "zh"),
    ],
)
def test_inside_a_phrase(words, language):
    assert inside_phrase(*words.split(), language)


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("house the", "en"),
        ("he'd but", "en"),  # he said he'd, but …
        ("in because", "en"),
        ("it then", "en"),
        ("it the", "en"),
        ("sagen ich", "de"),
        ("mit und", "de"),
        ("the house", "de"),
        ("the house", ""),
        ("我 们", "ja"),
    ],
)
def test_between_phrases(words, language):
    assert not inside_phrase(*words.split(), language)


def test_what_opens_a_clause():
    assert opens_clause("But", "en")
    assert opens_clause("weil", "de-AT")
    assert not opens_clause("house", "en")
    assert not opens_clause("but", "de")
    assert is_subject("He\u2019ll", "en")
    assert not is_subject("it", "en")
    assert not is_subject("he", "de")


def test_lists_are_written_as_they_are_compared():
    for lists in LANGUAGES.values():
        for words in (lists.binds, lists.leans, lists.subjects, lists.follows, lists.opens, lists.pronouns):
            assert all(word == word.lower().replace("\u2019", "'") for word in words)
