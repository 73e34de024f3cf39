"""Fitting gives loadable, reproducible files, and the shipped ones keep real speech understandable."""

import jiwer
import numpy as np
import pytest

from curation.models import resolve
from curation.stages.normalization import normalizer_for
from curation.tokenize.compact_codec import CompactCodec
from curation.tokenize.compact_content import CompactContent
from curation.tokenize.fit import FitSettings, fit
from curation.tokenize.fit_corpus import read_wave

TINY = FitSettings(content_codes=16, copies=1, channels=1, steps=3, batch=2, crop=20)


@pytest.fixture(scope="module")
def monologue():
    """The part of a real recording that the shipped files were not fitted on."""
    return read_wave(resolve("pkg:moonshine_voice:assets/two_cities.wav"), start=0.5)


def test_the_same_speech_gives_the_same_files_and_they_work(monologue, tmp_path):
    pieces = [monologue[:48_000], monologue[48_000:96_000]]
    first = fit(pieces, tmp_path / "a", TINY)
    assert first == fit(pieces, tmp_path / "b", TINY)
    codec, content = CompactCodec(tmp_path / "a"), CompactContent(tmp_path / "a")
    assert content.codebook_size == 16
    assert codec.fingerprint != CompactCodec().fingerprint
    tokens = codec.encode([pieces[0]])
    assert len(codec.decode(tokens)[0]) == 320 * len(tokens[0].semantic)


def test_too_little_speech_is_refused(monologue, tmp_path):
    with pytest.raises(ValueError, match="give more speech"):
        fit([monologue[:32_000]], tmp_path, FitSettings(copies=1, channels=0))


def test_whisper_understands_real_speech_decoded_from_its_tokens(monologue):
    from faster_whisper import WhisperModel

    model = WhisperModel(str(resolve("whisper-base")), device="cpu", compute_type="float32", cpu_threads=1)

    def heard(wave):
        pieces, _ = model.transcribe(wave, language="en", beam_size=5, condition_on_previous_text=False)
        return normalizer_for("en").clean(" ".join(piece.text for piece in pieces))

    wave = monologue[: 22 * 16_000]
    codec = CompactCodec()
    decoded = codec.decode(codec.encode([wave]))[0]
    original = heard(wave)
    assert len(original.split()) > 40
    assert jiwer.wer(original, heard(decoded)) < 0.4  # 0.18 to 0.3: greedy or int8 decoding differs between CPUs
    assert np.abs(decoded).max() < 1.5
