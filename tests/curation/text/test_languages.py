"""Language codes: from two letters to three, for models that know some of them."""

import pytest

from curation.text.languages import ISO_639_3, OMNILINGUAL, three_letters


@pytest.mark.parametrize(
    ("short", "long"),
    [("en", "eng"), ("de", "deu"), ("zh", "cmn"), ("yue", "yue"), ("fa", "pes"), ("haw", "haw"), ("sw", "swh")],
)
def test_codes_of_iso_639(short, long):
    assert long in ISO_639_3[short]
    assert three_letters({long}) == {key: long for key, codes in ISO_639_3.items() if long in codes}
    assert three_letters({long})[short] == long


def test_of_several_codes_the_first_that_the_model_knows():
    assert three_letters({"zsm", "msa"})["ms"] == "zsm"
    assert three_letters({"msa"})["ms"] == "msa"
    assert three_letters(["lav", "lvs"])["lv"] == "lav"


def test_a_model_of_unknown_languages_speaks_none():
    assert three_letters({"tlh", "x"}) == {}


def test_codes_of_omnilingual_have_the_usual_script():
    expected = {"en": "eng_Latn", "zh": "cmn_Hans", "yue": "yue_Hant", "sr": "srp_Cyrl", "ur": "urd_Arab"}
    assert {short: OMNILINGUAL[short] for short in expected} == expected


def test_the_two_tables_agree_on_the_language():
    """Where they do not, the model uses the code of a macrolanguage or of its usual variety."""
    assert set(OMNILINGUAL) <= set(ISO_639_3)
    other = {short for short, code in OMNILINGUAL.items() if code[:3] not in ISO_639_3[short]}
    assert other == set()
