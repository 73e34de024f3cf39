"""The aligners, by name, and what all of them promise (`base.py`)."""

import pytest

from curation.stages.punctuate.base import Spoken
from curation.stages.punctuate.registry import ALIGNERS, make_aligner
from tests.support.real_speech import librivox


def test_every_adapter_in_the_registry_has_its_name():
    assert [make_aligner(kind).name for kind in ALIGNERS] == list(ALIGNERS)


def test_an_unknown_aligner_is_named():
    with pytest.raises(ValueError, match="unknown aligner 'magic': expected one of pocketsphinx, mfa"):
        make_aligner("magic")


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
