"""Languages as manifests write them."""

import pytest
from faster_whisper.tokenizer import _LANGUAGE_CODES
from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

from curation.manifests.inputs.languages import language_code
from curation.text.languages import ISO_639_3

WRITTEN = {
    "en": ["en", "eng", "en-US", "en_GB", "EN", "English", "english", "eng_Latn", " en "],
    "de": ["de", "deu", "ger", "German", "Deutsch", "de-CH"],
    "fr": ["fre", "fra", "français", "French"],
    "zh": ["zh-CN", "cmn", "chi", "zho", "Mandarin", "Chinese", "zh-Hant-TW", "中文", "普通话", "漢語"],
    "yue": ["yue", "Cantonese", "粤语"],
    "no": ["no", "nb", "nob", "nor", "Norwegian"],
    "tl": ["tl", "fil", "Tagalog"],
    "nan": ["nan-TW"],
    "tok": ["tok"],
    "gsw": ["gsw", "Swiss German"],
    "": ["", "und", "None", "null", "mul", "nan", "Unknown", "auto", " "],
}


@pytest.mark.parametrize(("code", "written"), [(code, text) for code, texts in WRITTEN.items() for text in texts])
def test_one_code_for_each_language(code, written):
    assert language_code(written) == code


def test_the_codes_of_the_models_stay():
    own = {*_LANGUAGE_CODES, *ISO_639_3} - {"nb", "jv"}
    assert {code: language_code(code) for code in own} == {code: code for code in own}
    assert {name: language_code(name) for name in TO_LANGUAGE_CODE} == TO_LANGUAGE_CODE


def test_codes_of_three_letters_become_those_of_two():
    twins = {"no": "nb", "jw": "jv"}
    longer = {long: twins.get(short, short) for short, codes in ISO_639_3.items() for long in codes}
    assert {long: twins.get(language_code(long), language_code(long)) for long in longer} == longer


@pytest.mark.parametrize("written", ["xx", "qqq", "zz", "e", "123", "7", "en US", "speech", "Elbonian"])
def test_what_is_no_language(written):
    with pytest.raises(ValueError, match="is no language"):
        language_code(written)
