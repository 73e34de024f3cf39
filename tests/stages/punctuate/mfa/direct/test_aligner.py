"""Alignment without Montreal Forced Aligner: its own times on real speech, and known times on tones."""

from dataclasses import replace

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.base import Spoken
from curation.stages.punctuate.mfa.direct import aligner as aligner_module
from curation.stages.punctuate.mfa.direct.aligner import DirectAligner
from curation.stages.punctuate.mfa.models import MfaConfig
from curation.stages.punctuate.mfa.textgrid import read_words
from tests.support.checkpoints.mfa_golden import GOLDEN, MODELS
from tests.support.checkpoints.tiny_mfa import HERTZ, tiny_files, tone, write_tiny
from tests.support.real_speech import librivox_as_read

FILES = sorted((GOLDEN / "json").glob("sense*.json"))


@pytest.fixture(scope="module")
def golden():
    made = DirectAligner(MfaConfig(**MODELS))
    made.load()
    return made


def spoken(waves, texts, **more):
    return [Spoken(wave, text, "en", **more) for wave, text in zip(waves, texts, strict=True)]


def words_of(path):
    return [word.text for word in read_words(path)]


def times(placed):
    return [(round(one.start / SAMPLE_RATE, 2), round(one.end / SAMPLE_RATE, 2)) for one in placed]


def expected(path):
    return [(round(word.start, 2), round(word.end, 2)) for word in read_words(path)]


def test_words_are_where_mfa_put_them(golden):
    """71 words of five sentences; the speaker's mean is over all of them."""
    placed = golden.align_all(spoken(librivox_as_read(), map(words_of, FILES), speaker="reader"))
    assert [times(each) for each in placed] == [expected(path) for path in FILES]


def test_a_word_outside_the_dictionary_is_where_mfa_put_it(golden):
    path = GOLDEN / "json" / "oov.json"
    (placed,) = golden.align_all(spoken([librivox_as_read()[2]], [words_of(path)]))
    assert times(placed) == expected(path)


def test_utterances_of_others_change_nothing(golden):
    waves, texts = librivox_as_read(), [words_of(path) for path in FILES]
    alone = [golden.align_all(spoken([wave], [text]))[0] for wave, text in zip(waves, texts, strict=True)]
    assert golden.align_all(spoken(waves, texts)) == alone
    mixed = [*spoken(waves[:2], texts[:2], speaker=("a", 1)), *spoken(waves[2:3], texts[2:3], speaker=("a", 2))]
    assert golden.align_all(mixed[::-1])[::-1] == golden.align_all(mixed)
    assert golden.align_all(mixed)[2] == alone[2]


def test_wrong_texts_are_not_aligned(golden):
    waves, texts = librivox_as_read(), [words_of(path) for path in FILES]
    assert golden.align_all(spoken(waves, texts[1:] + texts[:1])) == [None] * 5
    forced = DirectAligner(MfaConfig(**MODELS, min_fit=-1000))
    forced.load()
    assert all(forced.align_all(spoken(waves[1:], texts[:1] + texts[2:])))


def test_what_cannot_be_aligned_is_left(golden, monkeypatch):
    wave = librivox_as_read()[1]
    assert golden.align_all(spoken([wave] * 3, [[], ["—"], ["'", "-"]])) == [None] * 3
    assert (
        golden.align_all(spoken([wave[:100], wave[:0], wave[:4000]], [["he"], ["he"], words_of(FILES[1])]))
        == [None] * 3
    )
    monkeypatch.setattr(aligner_module, "MAX_CELLS", 1000)
    assert golden.align_all(spoken([wave], [words_of(FILES[1])])) == [None]


def test_words_keep_their_places_whatever_their_signs(golden):
    texts = ["He was — not", "an", "ill-disposed,", "young Man!"]
    words = " ".join(texts).split()
    (placed,) = golden.align_all(spoken([librivox_as_read()[1]], [words]))
    assert [one is None for one in placed] == [word == "—" for word in words]
    (plain,) = golden.align_all(spoken([librivox_as_read()[1]], [words_of(FILES[1])]))
    assert placed[0] == plain[0]
    assert placed[-1] == plain[-1]
    assert (placed[5].start, placed[5].end) == (plain[4].start, plain[5].end)  # ill and disposed are two to MFA


def test_silence_can_be_made_more_likely():
    found = []
    for boost in (0.2, 1.0, 50.0):
        made = DirectAligner(MfaConfig(**MODELS, boost_silence=boost, min_fit=-100))
        made.load()
        placed = made.align_all(spoken(librivox_as_read(), map(words_of, FILES), speaker="reader"))
        found.append(sum(word.end - word.start for each in placed for word in each))
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize("by_position", [False, True])
@pytest.mark.parametrize("lda", [False, True])
def test_tones_are_found_where_they_are(tmp_path, lda, by_position):
    """With slopes and with joined frames, with phones by position and without."""
    path = write_tiny(tmp_path / "tiny.zip", tiny_files(lda=lda, by_position=by_position))
    (tmp_path / "tiny.dict").write_text("lo LO\nhilo HI LO\nhilo LO HI LO\nhi HI\n")
    made = DirectAligner(MfaConfig(acoustic_model=f"path:{path}", dictionary=f"path:{tmp_path / 'tiny.dict'}"))
    made.load()
    parts = [("sil", 0.3), ("LO", 0.2), ("HI", 0.2), ("LO", 0.3), ("sil", 0.4), ("HI", 0.25), ("sil", 0.2)]
    wave = np.concatenate([tone(HERTZ[name], seconds) for name, seconds in parts])
    (placed,) = made.align_all([Spoken(wave, ["Lo", "hilo", "hi"], "en")])
    edges = np.array([(one.start, one.end) for one in placed]) / SAMPLE_RATE
    assert np.abs(edges - [(0.3, 0.5), (0.5, 1.0), (1.4, 1.65)]).max() <= 0.03
    assert made.align_all([Spoken(wave, ["hi", "hi", "lo", "lo"], "en")]) == [None]
    assert made.align_all([replace(Spoken(wave, ["hi"], "en"), wave=wave[::-1].copy()[:400])]) == [None]
