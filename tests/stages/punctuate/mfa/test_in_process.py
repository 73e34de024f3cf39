"""Montreal Forced Aligner inside this process: on a stand-in everywhere, on the real one where it is installed."""

# ruff: noqa: RUF001 - typographic apostrophes

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.base import Spoken
from curation.stages.punctuate.mfa.textgrid import read_words
from tests.support.checkpoints import mfa_stand_in
from tests.support.checkpoints.mfa_golden import GOLDEN, SENTENCE, SILENCE, loaded, needs_mfa, starts
from tests.support.real_speech import librivox


def test_words_are_placed_in_order_and_symbols_are_left_out(stand_in):
    words = SENTENCE.split()
    placed = loaded().align(SILENCE, words, "en")
    # Each word takes 200 ms from 0.1 s on, cold-hearted and ill-disposed twice that, the dash nothing.
    assert starts(placed) == [0.1, 0.3, 0.5, 0.7, 0.9, 1.3, 1.5, 1.7, None, 1.9, 2.1, 2.3, 2.5]
    assert placed[-1].end == round(2.9 * SAMPLE_RATE)


def test_apostrophes_and_case(stand_in):
    placed = loaded().align(SILENCE, ["It’s", "DON'T", "to"], "en")
    assert starts(placed) == [0.1, 0.3, 0.5]


def test_what_does_not_fit_gives_none(stand_in):
    aligner = loaded()
    assert aligner.align(SILENCE, ["a", "mismatch"], "en") is None  # the beam was too narrow
    assert aligner.align(SILENCE, ["—"], "en") is None
    assert aligner.align(SILENCE, [], "en") is None
    assert aligner.align(SILENCE[:400], ["a"], "en") is None
    assert aligner.align(SILENCE, ["hallo"], "de") is None


def test_beams_and_the_compiled_dictionary(stand_in, store):
    loaded(beam=12, retry_beam=60)
    assert mfa_stand_in.KalpyAligner.made[-1].beams == (12, 60)
    loaded()
    assert mfa_stand_in.LexiconCompiler.compiled == 1  # the second time it is read from disk
    (folder,) = (store / "mfa" / "lexicons").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["L.fst", "L_align.fst", "phones.txt", "words.txt"]


def test_g2p_words_get_a_dictionary_of_their_own(stand_in, tmp_path):
    (tmp_path / "g2p").mkdir()
    aligner = loaded(g2p=f"path:{tmp_path / 'g2p'}")
    seen = []
    align = mfa_stand_in.KalpyAligner.align_utterance

    def watching(self, utterance):
        seen.append(self.lexicon_compiler.word_table.symbols[2:])
        return align(self, utterance)

    mfa_stand_in.KalpyAligner.align_utterance = watching
    try:
        first = aligner.align(SILENCE, ["the", "selfishzq", "日本"], "en")
        aligner.align(SILENCE, ["the"], "en")
        assert aligner.align(SILENCE, ["the", "selfishzq", "日本"], "en") == first
    finally:
        mfa_stand_in.KalpyAligner.align_utterance = align
    assert seen[0] == ["the", "the", "selfishzq"]  # both pronunciations, the guess, and spoken noise for the third
    assert "selfishzq" not in seen[1]
    assert len(seen[1]) > 100
    assert starts(first) == [0.1, 0.3, 0.5]


@needs_mfa
@pytest.mark.timeout(900)
def test_real_alignment_in_memory_is_that_of_the_command_line():
    """Golden times come from `mfa align`, which normalises over a speaker, not over an utterance."""
    aligner = loaded()
    differences = []
    for path, wave in zip(sorted((GOLDEN / "json").glob("sense*.json")), librivox(), strict=True):
        found = read_words(path)
        placed = aligner.align(wave, [word.text for word in found], "en")
        for word, one in zip(found, placed, strict=True):
            differences += [one.start / SAMPLE_RATE - word.start, one.end / SAMPLE_RATE - word.end]
    assert np.median(np.abs(differences)) <= 0.01
    assert np.quantile(np.abs(differences), 0.95) <= 0.1


@needs_mfa
@pytest.mark.timeout(900)
def test_real_words_outside_the_dictionary_keep_their_place():
    placed = loaded().align(librivox()[2], SENTENCE.split(), "en")
    assert placed[8] is None
    assert abs(placed[7].start / SAMPLE_RATE - 2.96) <= 0.05


@needs_mfa
@pytest.mark.timeout(900)
def test_real_alignment_does_not_depend_on_what_came_before():
    aligner = loaded()
    texts = [[word.text for word in read_words(path)] for path in sorted((GOLDEN / "json").glob("sense*.json"))]
    batch = [Spoken(wave, text, "en") for wave, text in zip(librivox(), texts, strict=True)]
    assert aligner.align_all(batch) == aligner.align_all(batch[::-1])[::-1]
