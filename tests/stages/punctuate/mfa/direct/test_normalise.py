"""MFA's text normalisation. Expected: what SimpleTokenizer of montreal_forced_aligner 3.4.3 gives for these texts."""

# ruff: noqa: RUF001 - typographic signs

import pytest

from curation.stages.punctuate.mfa.direct.acoustic import AcousticModel
from curation.stages.punctuate.mfa.direct.lexicon import Lexicon
from curation.stages.punctuate.mfa.direct.normalise import Normaliser
from tests.support.checkpoints.tiny_mfa import tiny_files

WORDS = (
    "the cold hearted i 'll l' d' eau n't don't dog 's o'clock [noise] it is well-known 'em rock roll a qu' il jusqu'"
)


@pytest.fixture(scope="module")
def normaliser(tmp_path_factory):
    path = tmp_path_factory.mktemp("lexicon") / "a.dict"
    path.write_text("\n".join(f"{word} LO" for word in WORDS.split()))
    return Normaliser(Lexicon(path, AcousticModel(tiny_files(), "tiny")))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("It’s the cold-hearted dog's 'em", "it 's the cold hearted dog 's 'em"),
        ("d'l'eau well-known ill-disposed", "d' l' eau well-known ill-disposed"),
        ("O’Clock foo/bar the- 'the the'", "o'clock foo/bar the the the"),
        ("it,is… 「it」 50% $5 — ... - '", "it is it 50 5"),
        ("'cold hearted' don't, DON’T", "cold hearted don't don't"),
        ("jusqu'il qu'il I'll x‑the", "jusqu' il qu' il i 'll x the"),
        ("", ""),
    ],
)
def test_words_compounds_and_clitics(normaliser, text, entries):
    assert [token.entry for token in normaliser.tokens(text)] == entries.split()


def test_brackets_are_one_noise(normaliser):
    found = normaliser.tokens("(uh huh) [laughter] <cutoff> [hes-wo] [noise] (dog")
    assert [token.entry for token in found] == [None, None, None, None, "[noise]", "(dog"]
    assert found[0].text == "(uh_huh)"


def test_the_letters_of_a_text_stay(normaliser):
    text = "İstanbul, ‘tis “O’Clock” (uh huh) cold--hearted"
    spelled = "".join(char for token in normaliser.tokens(text) for char in token.text if char.isalnum())
    assert spelled == "istanbultisoclockuhhuhcoldhearted"
