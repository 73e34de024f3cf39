"""Text normalisation: what counts as the same word, by language."""

import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opencc import OpenCC

from curation.text.normalize import clean_unicode, cleaner_for, normalizer_for, without_tags
from tests.support.texts.characters import ANY


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Mr. Dashwood didn't go.", "mister dashwood did not go"),
        ("twenty-one dogs", "21 dogs"),
        ("It's the colour, isn't it?", "it is the color is not it"),
        ("three thousand dollars", "$3,000"),
    ],
)
def test_english_unifies_what_sounds_the_same(one, other):
    english = normalizer_for("en")
    assert english.units(one) == english.units(other)


@given(st.text("0123456789", min_size=1, max_size=8))
def test_english_digit_strings_are_the_same_however_they_are_written(digits):
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    words = [names[int(digit)] for digit in digits]
    styles = [digits, " ".join(digits), ", ".join(digits) + ".", ", ".join(words).capitalize() + "."]
    styles += ["-".join(digits)] if len(digits) != 2 else []  # 2-3 is two to three
    assert {style: normalizer_for("en").units(style) for style in styles} == {style: list(digits) for style in styles}


def test_english_quantities_keep_their_unit():
    english = normalizer_for("en")
    assert english.units("20 percent of 3,000 dollars") == english.units("twenty percent of three thousand dollars")
    assert english.units("3.05") == ["3.05"]
    assert english.units("I want one") == ["i", "want", "1"]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("hi", "नमस्ते दुनिया"),
        ("ta", "தமிழ் மொழி"),
        ("bn", "বাংলা ভাষা"),
        ("ar", "مُحَمَّد"),
        ("he", "שָׁלוֹם"),
    ],
)
def test_combining_marks_stay(language, text):
    assert " ".join(normalizer_for(language).units(text)) == unicodedata.normalize("NFKC", text)


def test_vowel_signs_tell_words_apart():
    hindi, thai = normalizer_for("hi"), normalizer_for("th")
    assert hindi.units("की") != hindi.units("का")
    assert thai.units("ที่") != thai.units("ท")


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("zh", "你好世界"),
        ("yue", "你好世界"),
        ("ja", "こんにちは世界"),
        ("th", "สวัสดีโลก"),
        ("lo", "ສະບາຍດີ"),
        ("km", "សួស្តី"),
        ("my", "မင်္ဂလာပါ"),
        ("bo", "བཀྲཤིས"),
    ],
)
def test_languages_without_spaces_are_compared_by_character(language, text):
    """Whether a system writes spaces there does not count."""
    normalizer = normalizer_for(language)
    assert normalizer.unit == "character"
    assert normalizer.units(f"{text[:3]} {text[3:]}, {text}!") == list(unicodedata.normalize("NFKC", text) * 2)


@pytest.mark.parametrize("language", ["en", "fr", "ko", "hi", "vi", ""])
def test_other_languages_are_compared_by_word(language):
    assert normalizer_for(language).unit == "word"


@pytest.mark.parametrize("language", ["zh", "yue"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("台灣的後來\uff0c頭髮發麵。", "台湾的后来,头发发面"),
        ("臺灣裡面看著書為什麼", "台湾里面看着书为什么"),  # as in Taiwan
        ("香港裏面看着書為甚麼", "香港里面看着书为甚么"),  # as in Hong Kong
        ("乾杯\uff0c乾坤、幹部。", "干杯乾坤干部"),  # two of them have a simplified form in some words only
        ("\uff21\uff22\uff23\uff0c\uff12\uff10\uff12\uff16年\uff01", "ABC 2026年"),  # full width
        ("神羽", "神羽"),  # a compatibility ideograph
    ],
)
def test_chinese_is_compared_in_one_script(language, one, other):
    normalizer = normalizer_for(language)
    assert normalizer.units(one) == normalizer.units(other)
    assert normalizer.name == "unicode-one-script"


CHINESE = normalizer_for("zh")
SIMPLIFIED = [character for character in map(chr, range(0x4E00, 0x9FA6)) if character.encode("gb2312", "ignore")]


converter = cache(OpenCC)


# As a list: of an alphabet of so many stretches hypothesis makes texts slowly.
@given(st.lists(st.sampled_from(SIMPLIFIED), min_size=1, max_size=30), st.sampled_from(["s2t", "s2tw", "s2hk"]))
def test_what_a_converter_writes_in_another_script_is_the_same(characters, script):
    text = "".join(characters)
    other = converter(script).convert(text)
    assert CHINESE.clean(other) == CHINESE.clean(text)


@given(st.text(ANY))
def test_one_script_changes_no_number_of_characters_and_nothing_twice(text):
    clean = cleaner_for("zh")
    assert len(clean(text)) == len(clean_unicode(text))
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        (
            "sr",
            "Љубазни фењерџија чађавог лица хоће да ми покаже штос.",
            "ljubazni fenjerdžija čađavog lica hoće da mi pokaže štos",
        ),
        ("bs", "Ђак њише џез", "đak njiše džez"),
        ("fa", "\u0643\u062a\u0627\u0628\u064a", "\u06a9\u062a\u0627\u0628\u06cc"),
        ("ur", "\u0643\u064a", "\u06a9\u06cc"),
    ],
)
def test_other_languages_of_two_scripts_are_compared_in_one(language, one, other):
    normalizer = normalizer_for(language)
    assert normalizer.units(one) == normalizer.units(other)
    assert [span.key for span in normalizer.spans(one)] == [span.key for span in normalizer.spans(other)]


def test_scripts_of_other_languages_are_what_they_are():
    assert normalizer_for("ru").units("да") == ["да"]
    assert normalizer_for("ar").units("\u0643\u064a") == ["\u0643\u064a"]


def test_japanese_keeps_its_characters():
    japanese = normalizer_for("ja")
    assert japanese.units("国体") != japanese.units("國體")


def test_writing_habits_do_not_count():
    assert clean_unicode("« \uff21\uff22\uff23 » — l\u2019\u00c9t\u00e9 ١٢\u00ad٣!") == "abc l \u00e9t\u00e9 123"


@given(st.text(ANY))
def test_unicode_leaves_letters_marks_and_digits_only(text):
    cleaned = clean_unicode(text)
    assert clean_unicode(cleaned) == cleaned
    assert all(unicodedata.category(character)[0] in "LMN" for character in cleaned.replace(" ", ""))


NUMBERS = (
    "one",
    "hundred",
    "and a half",
    "£5",
    ".5",
    "\u00b2",
    "\u00bd",
    "3,000",
    "uh",
    "(",
    "'d",
    "10th",
    "point",
    "$",
)


@given(st.text(ANY) | st.lists(st.sampled_from(NUMBERS)).map(" ".join))
def test_english_takes_any_text_and_leaves_no_lone_marks(text):
    words = normalizer_for("en").units(text)
    assert all(any(character.isalnum() for character in word) for word in words)


def test_dots_at_the_end_are_no_word():
    assert normalizer_for("en").units("I think so...") == ["i", "think", "so"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("007", "0 0 7"),
        ("in 0.5 seconds", "in 0.5 seconds"),
        ("1,005 men", "1 0 0 5 men"),
        ("at 08 30", "at 0 8 3 0"),
        ("it costs 5.05", "it costs 5.05"),
    ],
)
def test_zeros_at_the_front_are_kept(text, words):
    assert normalizer_for("en").units(text) == words.split()


def test_the_record_says_which_normaliser_it_was():
    assert normalizer_for("en").name == "whisper-english"
    assert normalizer_for("de").name == "unicode"
    assert normalizer_for("de") is normalizer_for("de")


@pytest.mark.parametrize("language", ["en", "de", "zh", "th"])
@pytest.mark.parametrize(
    "tag", ["[MUSIC PLAYING]", "(music)", "*sighs*", "\u266a\u266a", "<noise>", "\u3010\u97f3\u4e50\u3011"]
)
def test_tags_of_what_is_not_speech_are_no_words(language, tag):
    normalizer = normalizer_for(language)
    assert normalizer.spans(tag) == []
    assert normalizer.units(f"{tag} a {tag}") == ["a"]


def test_tags_in_tags_are_no_words():
    assert without_tags("[[music] [noise]] a (b (c))") == "a"


@pytest.mark.parametrize("language", ["en", "de", "zh"])
@pytest.mark.parametrize("text", ["9" * 5000 + " thousand", "1." + "9" * 5000 + " million", "1/" + "9" * 5000])
def test_numbers_longer_than_python_reads_are_digits(language, text):
    assert normalizer_for(language).units(text)[-10:]


def test_digits_in_brackets_were_said():
    assert normalizer_for("en").units("call (555) 1234") == ["call", *"5551234"]


@pytest.mark.parametrize("language", ["en", "de", "zh", "ja", "th"])
@given(text=st.text(ANY).filter(lambda text: without_tags(text) == text))
def test_the_spans_are_the_text(language, text):
    normalizer = normalizer_for(language)
    written = normalizer.join.join(span.written for span in normalizer.spans(text))
    assert written.split() == text.split()


@given(st.text(st.characters(exclude_categories=["Nd", "No", "Cs"])).filter(lambda text: without_tags(text) == text))
def test_spans_are_compared_as_the_whole_text(text):
    assert normalizer_for("de").units(text) == clean_unicode(text).split()
    assert normalizer_for("th").units(text) == list(clean_unicode(text).replace(" ", ""))
