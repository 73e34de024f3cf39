"""The Whisper adapter on a random model of large-v3's own format, made by CTranslate2's converter."""

import pytest

from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.whisper import WhisperConfig
from tests.support.checkpoints.tiny_whisper import BANDS, save_large_v3
from tests.support.real_speech import librivox

WAVES = [*librivox()[:3], librivox()[1][:16000]]


def loaded(folder, **settings):
    system = build_system(WhisperConfig(name="v3", model=f"path:{folder}", beam_size=2, **settings))
    system.load()
    return system


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_large_v3(tmp_path_factory.mktemp("v3"))


@pytest.fixture(scope="module")
def system(folder):
    return loaded(folder)


def test_the_features_have_the_bands_of_the_model(system):
    assert system._log_mel(WAVES[0], 1500).shape == (BANDS, 1500)


def test_the_bands_are_known_without_a_preprocessor_file(system, tmp_path):
    bare = loaded(save_large_v3(tmp_path, preprocessor=False))
    assert bare.transcribe(WAVES[:1], ["en"]) == system.transcribe(WAVES[:1], ["en"])


def test_it_speaks_a_hundred_languages_with_cantonese(system):
    assert len(system.languages) == 100
    assert "yue" in system.languages
    english, cantonese = system.transcribe([WAVES[0]] * 2, ["en", "yue"])
    assert (english.language, cantonese.language) == ("en", "yue")
    assert english.text != cantonese.text
    (found,) = system.identify_language(WAVES[:1])
    assert set(found) == system.languages
    assert sum(found.values()) == pytest.approx(1, abs=1e-3)


def test_other_multilingual_models_have_no_cantonese():
    base = build_system(WhisperConfig(name="base", model="whisper-base"))
    base.load()
    assert len(base.languages) == 99
    assert "yue" not in base.languages
    with pytest.raises(ValueError, match="does not speak 'yue'"):
        base.transcribe(WAVES[:1], ["yue"])


def test_batch_does_not_matter(system):
    languages = ["en", "yue", "en", "de"]
    together = system.transcribe(WAVES, languages)
    assert together == [system.transcribe([w], [code])[0] for w, code in zip(WAVES, languages, strict=True)]


def test_guards_and_confidence_are_scores(system):
    """The random model babbles: that is what the guards are for."""
    for heard in system.transcribe(WAVES, ["en"] * 4):
        assert 0 < heard.confidence < 0.1
        assert heard.scores["compression_ratio"] > 2.4
        assert heard.scores["repeated_trigram_share"] > 0.3
        assert 0 <= heard.scores["no_speech_probability"] <= 1


def test_word_times_come_from_the_alignment_heads_of_the_file(folder):
    timed = loaded(folder, word_times=True)
    (heard,) = timed.transcribe(WAVES[:1], ["en"])
    times = [time for word in heard.words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert len(heard.words) > 3
