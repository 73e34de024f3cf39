"""The dictionary: lines with probabilities and without, costs as MFA takes them, words that it lacks."""

import math

import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.acoustic import AcousticModel
from curation.stages.punctuate.mfa.direct.lexicon import Lexicon
from tests.support.checkpoints.tiny_mfa import tiny_files

LINES = """\ufefflo LO
lo 1 LO
Hi 0.5 0.25 2.0 0.5 HI
hi\t0.001\tHI LO

it\u2019s LO HI
'll HI
qu' LO
<s> LO
odd XX
odd2 XX
odd2 LO LO
"""


@pytest.fixture
def model():
    return AcousticModel(tiny_files(silence_probability=0.2, initial_silence_probability=0.4), "tiny")


@pytest.fixture
def lexicon(tmp_path, model):
    (tmp_path / "a.dict").write_text(LINES, encoding="utf-8")
    return Lexicon(tmp_path / "a.dict", model)


def test_words(lexicon):
    assert all(word in lexicon for word in ("lo", "hi", "it's", "'ll", "odd"))
    assert not any(word in lexicon for word in ("Hi", "<s>", "nothing", ""))
    assert sorted(lexicon.clitics) == ["'ll", "qu'"]


def test_pronunciations_and_their_costs(lexicon):
    (plain,) = lexicon.pronunciations("lo")  # the second line is the same again
    assert plain.phones == (4,)
    assert (plain.cost, plain.before_silence, plain.before_none) == (0, 0, 0)
    assert (plain.after_silence, plain.after_none) == pytest.approx((-math.log(0.2), -math.log(0.8)))
    first, second = lexicon.pronunciations("hi")
    assert first.phones == (3,)
    expected = [-math.log(each) for each in (0.5, 2.0, 0.5, 0.25, 0.75)]
    found = (first.cost, first.before_silence, first.before_none, first.after_silence, first.after_none)
    assert found == pytest.approx(expected)
    assert second.cost == pytest.approx(-math.log(0.01))  # less than a hundredth counts as one


def test_words_that_cannot_be_said_are_noise(lexicon):
    for word in ("nothing", "odd", None):
        (noise,) = lexicon.pronunciations(word)
        assert noise.phones == (2,)
        assert noise.cost == 0
    assert [way.phones for way in lexicon.pronunciations("odd2")] == [(4, 4)]


def test_the_ends_of_an_utterance(tmp_path, model):
    (tmp_path / "a.dict").write_text("lo LO\n")
    ends = Lexicon(tmp_path / "a.dict", model).ends
    assert (ends.first_silence, ends.first_none) == pytest.approx((-math.log(0.4), -math.log(0.6)))
    assert (ends.last_silence, ends.last_none, ends.optional) == (0, 0, True)
    corrected = tiny_files(silence_probability=0, final_silence_correction=0.5, final_non_silence_correction=2.0)
    ends = Lexicon(tmp_path / "a.dict", AcousticModel(corrected, "tiny")).ends
    assert (ends.last_silence, ends.last_none) == pytest.approx((-math.log(0.5), 0))  # none below 0, as in kalpy
    assert not ends.optional


def test_what_is_certain_leaves_nothing_to_its_contrary(tmp_path):
    (tmp_path / "a.dict").write_text("lo 1 1 LO\n")
    model = AcousticModel(tiny_files(initial_silence_probability=1.0), "tiny")
    lexicon = Lexicon(tmp_path / "a.dict", model)
    assert (lexicon.ends.first_silence, lexicon.ends.first_none) == (0, math.inf)
    (way,) = lexicon.pronunciations("lo")
    assert (way.after_silence, way.after_none) == (0, math.inf)


def test_phones_by_position(tmp_path):
    model = AcousticModel(tiny_files(by_position=True), "tiny")
    (tmp_path / "a.dict").write_text("a LO HI LO\nb LO\n")
    lexicon = Lexicon(tmp_path / "a.dict", model)
    names = {number: name for name, number in model.meta.phones.items()}
    said = [[names[phone] for phone in lexicon.pronunciations(word)[0].phones] for word in ("a", "b", "c")]
    assert said == [["LO_B", "HI_I", "LO_E"], ["LO_S"], ["spn_S"]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"lo LO\nhi\n", r"a\.dict, line 2: 'hi' has no pronunciation"),
        (b"lo LO\nhi 0.5\n", r"a\.dict, line 2: 'hi' has no pronunciation"),
        (b"", r"a\.dict is empty"),
        (b"\xff\xfe", r"a\.dict cannot be read"),
    ],
)
def test_damaged_dictionaries_are_named(tmp_path, model, content, message):
    (tmp_path / "a.dict").write_bytes(content)
    with pytest.raises(ModelError, match=message):
        Lexicon(tmp_path / "a.dict", model)
