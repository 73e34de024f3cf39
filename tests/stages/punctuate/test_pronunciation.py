"""Pronunciations of words outside the dictionary: numbers, letters, symbols."""

import pytest

from curation.stages.punctuate.pronunciation import number_words, pronounce, readings, spell


@pytest.fixture
def aligner(punctuator):
    return punctuator.aligners[0]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (21, "twenty one"),
        (305, "three hundred five"),
        (1_000_040, "one million forty"),
        (10**15, "one" + " zero" * 15),
    ],
)
def test_numbers(number, words):
    assert number_words(number) == words.split()


def test_years_are_read_in_pairs():
    assert readings("1984")[0] == ["nineteen", "eighty", "four"]
    assert readings("1905")[0] == ["nineteen", "o", "five"]
    assert ["zero", "zero", "seven"] in readings("007")


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("ship", "SH IH P"),
        ("cell", "S EH L"),
        ("quick", "K W IH K"),
        ("Ünal", "AH N AE L"),
        ("lake", "L AE K"),
        ("日本", ""),
    ],
)
def test_letters_to_sounds(word, phones):
    assert spell(word) == phones


def test_pronunciations_join_numbers_symbols_and_letters(aligner):
    lookup = aligner._lookup
    assert pronounce("$5", lookup) == [f"{lookup('five')} {lookup('dollars')}"]
    assert pronounce("bbc", lookup) == [" ".join(lookup(name) for name in ("b.", "b.", "c."))]
    assert pronounce("…", lookup) == []


def test_a_price_with_cents_and_a_thousands_mark(aligner):
    lookup = aligner._lookup
    said = [lookup(word) for word in ("three", "thousand")]
    assert f"{' '.join(said)} {lookup('dollars')}" in pronounce("$3,000", lookup)
    assert f"{lookup('five')} {lookup('point')} {lookup('two')}" in pronounce("5.2", lookup)


def test_a_known_word_is_as_the_dictionary_has_it_and_an_unknown_one_by_rule(aligner):
    lookup = aligner._lookup
    assert pronounce("5Hello", lookup) == [f"{lookup('five')} {lookup('hello')}"]
    assert pronounce("zorf", lookup) == ["Z AO R F"]


def test_numbers_of_every_size_are_read_in_american_english():
    assert number_words(13) == ["thirteen"]
    assert number_words(90) == ["ninety"]
    assert number_words(100) == ["one", "hundred"]
    nines = ["nine", "hundred", "ninety", "nine"]
    assert number_words(999_999) == [*nines, "thousand", *nines]
    assert number_words(2_000_000_000_001) == ["two", "trillion", "one"]


def test_which_ways_a_run_of_digits_may_be_read():
    assert readings("1900")[0] == ["nineteen", "hundred"]
    assert readings("12") == [["twelve"]]
    assert readings("123") == [["one", "hundred", "twenty", "three"], ["one", "two", "three"]]
    assert readings("0123") == [["one", "hundred", "twenty", "three"], ["zero", "one", "two", "three"]]
    assert readings("1984")[1:] == [
        ["one", "thousand", "nine", "hundred", "eighty", "four"],
        ["one", "nine", "eight", "four"],
    ]


def test_consonants_that_are_no_word_are_said_letter_by_letter(aligner):
    lookup = aligner._lookup
    assert lookup("qrx") is None
    assert pronounce("QRX", lookup) == [" ".join(lookup(name) for name in ("q.", "r.", "x."))]
    assert pronounce("q", lookup) == [lookup("q") or "K"]
