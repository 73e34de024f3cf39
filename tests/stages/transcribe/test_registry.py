"""What every small system must do: batches do not matter, silence is no error, and its name is its own."""

import numpy as np
import pytest

from curation.stages.transcribe.registry import SYSTEMS
from tests.support.real_speech import librivox_as_read

WAVES = librivox_as_read()
CLIPS = [WAVES[1], WAVES[4], WAVES[0][8000:40000], WAVES[3][16000:33000]]


@pytest.fixture(params=["whisper", "moonshine"])
def system(request, tiny, moonshine_stage):
    return tiny if request.param == "whisper" else moonshine_stage.systems[0]


def test_batch_does_not_matter(system):
    alone = [system.transcribe([clip], ["en"])[0] for clip in CLIPS]
    order = np.random.default_rng(1).permutation(len(CLIPS))
    together = system.transcribe([CLIPS[place] for place in order], ["en"] * len(order))
    assert [alone[place] for place in order] == together


def test_a_scrap_of_silence_is_no_error(system):
    (heard,) = system.transcribe([np.zeros(100, np.float32)], ["en"])
    assert not heard.error
    assert 0 <= heard.confidence <= 1


def test_the_hypothesis_names_its_system_and_language(system):
    (heard,) = system.transcribe(WAVES[1:2], ["en"])
    assert (heard.system, heard.language) == (system.config.name, "en")
    assert heard.text == heard.text.strip()
    assert "young man" in heard.text


def test_another_language_is_refused(system):
    assert system.languages == {"en"}
    with pytest.raises(ValueError, match="speak"):
        system.transcribe(WAVES[1:2], ["de"])


def test_more_than_30_seconds_are_refused_and_said(system):
    half = np.zeros(30 * 16000, np.float32)
    with pytest.raises(ValueError, match=r"30\.1 s.* 30 s at most"):
        system.transcribe([np.zeros(30 * 16000 + 1600, np.float32)], ["en"])
    assert not system.transcribe([half], ["en"])[0].error


def test_those_of_this_repository_are_found_by_their_kind():
    assert sorted(SYSTEMS.built_in) == ["moonshine", "nemo", "omnilingual", "pocketsphinx", "seamless", "whisper"]
    for kind, adapter in SYSTEMS.built_in.items():
        assert adapter.kind == kind
        assert adapter.section.model_fields["kind"].default == kind
