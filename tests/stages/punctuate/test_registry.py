"""The aligners, by name, and what all of them promise (`base.py`)."""

import pytest

from curation.core.errors import ConfigError
from curation.stages.punctuate.base import Spoken
from curation.stages.punctuate.registry import ALIGNERS
from tests.support.real_speech import librivox


def test_those_of_this_repository_are_found_by_their_kind():
    assert {kind: ALIGNERS[kind].__module__ for kind in ALIGNERS.built_in} == {
        "mfa": "curation.stages.punctuate.mfa.adapter",
        "pocketsphinx": "curation.stages.punctuate.pocketsphinx",
        "whisper": "curation.stages.punctuate.whisper",
    }


def test_an_unknown_aligner_is_named():
    with pytest.raises(ConfigError, match="unknown aligner 'magic': expected one of mfa, pocketsphinx"):
        ALIGNERS["magic"]


def test_many_at_once_are_what_each_is_alone(punctuator):
    aligner = punctuator.aligners[0]
    batch = [
        Spoken(librivox()[1], ["he", "was", "not", "an", "ill-disposed", "young", "man"], "en"),
        Spoken(librivox()[1], ["hallo"], "de"),
        Spoken(librivox()[4][:100], ["too", "long"], "en"),
    ]
    found = aligner.align_all(batch)
    assert found == [aligner.align(item.wave, item.words, item.language) for item in batch]
    assert [placed is None for placed in found] == [False, True, True]


@pytest.mark.parametrize(
    ("language", "speaks"), [("en", True), ("en-GB", True), ("EN", True), ("de", False), ("", False)]
)
def test_pocketsphinx_speaks_english_only(punctuator, language, speaks):
    assert punctuator.aligners[0].speaks(language) == speaks
