"""The adapter of Montreal Forced Aligner in the stage: order of the aligners, languages, fallback."""

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ModelError
from curation.manifests.records import Segment
from curation.stages.punctuate.mfa.models import MfaConfig
from curation.stages.punctuate.mfa.textgrid import read_words
from curation.stages.punctuate.stage import Punctuate, PunctuateConfig
from tests.support.checkpoints.mfa_golden import GOLDEN, MODELS, without_mfa
from tests.support.real_speech import librivox, librivox_as_read, recording


def punctuated(text, *more, language="en", run="memory", fallback="none"):
    mfa = MfaConfig(**MODELS, language=language, run=run)
    stage = Punctuate(PunctuateConfig(aligner="mfa", mfa=mfa, fallback=fallback))
    stage.setup()
    made = recording(librivox()[1])
    made.segments = [Segment(0, made.num_samples, language=language, text=each) for each in (text, *more)]
    stage.process([made])
    return made.segments if more else made.segments[0]


def test_the_row_says_which_aligner_it_was(stand_in):
    assert punctuated("he was not").notes["punctuate.aligner"] == "mfa"
    assert punctuated("he was mismatch").notes["punctuate.aligner"] == "none"
    assert punctuated("he was mismatch", fallback="pocketsphinx").notes["punctuate.aligner"] == "pocketsphinx"


def test_the_fallback_takes_only_what_the_first_aligner_leaves(stand_in):
    """Both could place the first; the stand-in says 0.1 s for its first word."""
    first, second, third = punctuated("he was not", "he was mismatch", "mismatch " * 90, fallback="pocketsphinx")
    assert [item.notes["punctuate.aligner"] for item in (first, second, third)] == ["mfa", "pocketsphinx", "none"]
    assert [round(word.start / SAMPLE_RATE, 3) for word in first.words] == [0.1, 0.3, 0.5]
    assert second.words[0].start != 1600


def test_the_language_of_the_utterance_decides_about_capitals(stand_in):
    """The stand-in finds no pauses, so the full stop goes; German nouns keep their capital."""
    assert punctuated("It was. House and home").text == "It was house and home"
    assert punctuated("Es war. Haus und Hof", language="de").text == "Es war Haus und Hof"


def test_without_mfa_its_models_are_enough():
    """MFA has a pause of 200 ms after not, and none of 300 ms."""
    first, second = punctuated("He was not, an ill disposed young man.", "hello", run="direct")
    assert (first.notes["punctuate.aligner"], second.notes["punctuate.aligner"]) == ("mfa", "none")
    assert first.text == "He was not, an ill disposed young man."
    assert [round(word.start / SAMPLE_RATE, 1) for word in first.words][:4] == [0.2, 0.3, 0.6, 1.1]
    with pytest.raises(ValueError, match=r"punctuate\.mfa\.g2p needs run: memory or command"):
        MfaConfig(**MODELS, g2p="path:g2p.zip")


def test_the_utterances_of_a_speaker_share_their_mean():
    """A recording of five sentences: word times are MFA's where one speaker says all, not where each has his own."""
    waves = librivox_as_read()
    files = sorted((GOLDEN / "json").glob("sense*.json"))
    words = [[word.text for word in read_words(path)] for path in files]
    starts = [sum(map(len, waves[:index])) for index in range(len(waves))]
    wanted = [
        round(start / SAMPLE_RATE + word.start, 2)
        for start, path in zip(starts, files, strict=True)
        for word in read_words(path)
    ]
    found = []
    for speakers in ("aaaaa", "abcde"):
        stage = Punctuate(PunctuateConfig(aligner="mfa", mfa=MfaConfig(**MODELS)))
        stage.setup()
        made = recording(np.concatenate(waves))
        made.segments = [
            Segment(start, start + len(wave), language="en", text=" ".join(texts), speaker=speaker)
            for start, wave, texts, speaker in zip(starts, waves, words, speakers, strict=True)
        ]
        stage.process([made])
        found.append([round(word.start / SAMPLE_RATE, 2) for segment in made.segments for word in segment.words])
    assert found[0] == wanted
    assert found[1] != wanted


@without_mfa
def test_without_mfa_the_fallback_does_all():
    segment = punctuated("he was not an ill disposed young man", fallback="pocketsphinx")
    assert segment.notes["punctuate.aligner"] == "pocketsphinx"
    assert segment.words
    with pytest.raises(ModelError, match="conda install"):
        punctuated("he was not")


def test_settings_without_models_are_refused():
    with pytest.raises(ValueError, match=r"punctuate\.mfa\.acoustic_model"):
        PunctuateConfig(aligner="mfa")


def test_the_stage_says_which_aligner_takes_the_place_of_which():
    mfa = MfaConfig(**MODELS)
    uses = Punctuate.adapters(PunctuateConfig(aligner="mfa", fallback="pocketsphinx", mfa=mfa))
    assert [(use.name, use.instead) for use in uses] == [
        ("punctuate.mfa", "pocketsphinx"),
        ("punctuate.pocketsphinx", ""),
    ]
    assert uses[0].section == mfa
    assert [use.instead for use in Punctuate.adapters(PunctuateConfig())] == ["whisper", ""]
    assert Punctuate.adapters(PunctuateConfig(aligner="none")) == []
