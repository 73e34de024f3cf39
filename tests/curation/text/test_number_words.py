"""Number words of German, French and Spanish, compared in digits."""

import pytest

from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import agree, pairwise_wer
from curation.text.normalize import normalizer_for
from curation.text.number_words import number_words


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("es", "Presione nueve para más resultados.", "presione 9 para más resultados"),
        ("es", "uno, veintidós y noventa", "1, 22 y 90"),
        ("de", "Dreißig, einundzwanzig und siebzehn.", "30, 21 und 17"),
        ("de", "fünf vor zwölf", "5 vor 12"),
        ("fr", "Appuyez sur deux ou vingt-cinq.", "appuyez sur 2 ou 25"),
        ("es", "mil novecientos ochenta y cuatro, treinta y cinco", "1984, 35"),
        ("de", "neunzehnhundertvierundachtzig und zweitausendvierundzwanzig", "1984 und 2024"),
        ("de", "hundertfünf, dreißigtausend", "105, 30.000"),
        ("fr", "deux mille vingt quatre, cent cinq", "2024, 105"),
        ("fr", "soixante-dix-sept, quatre-vingts, quatre-vingt-onze, soixante-et-onze", "77, 80, 91, 71"),
    ],
)
def test_a_number_word_is_its_digits(language, one, other):
    units = normalizer_for(language).units
    assert units(one) == units(other)


@pytest.mark.parametrize(("language", "text"), [("fr", "un an"), ("de", "ein Jahr"), ("es", "un año"), ("it", "due")])
def test_articles_and_other_languages_stay(language, text):
    assert normalizer_for(language).units(text) == text.casefold().split()


@pytest.mark.parametrize(("language", "lacking"), [("de", []), ("fr", [1]), ("es", [])])
def test_every_number_below_10_000_has_words(language, lacking):
    known = {int(digits) for digits in number_words(language).values()}
    assert [number for number in range(1, 10_000) if number not in known] == lacking


def test_two_numbers_are_not_one():
    units = normalizer_for("fr").units
    assert units("soixante, cinq") == ["60", "5"]
    assert units("quatre-vingt") == ["80"]


def test_a_digit_at_another_speed_is_no_disagreement():
    texts = ["Pulse nueve para salir.", "Pulse 9 para salir.", "Pulse nueve para salir."]
    found = agree([Hypothesis("whisper", text, "es", 0.9) for text in texts], normalizer_for("es"), 2.0)
    assert pairwise_wer(found.rates) == 0
    assert found.combined.text in texts
