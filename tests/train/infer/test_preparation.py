"""Recordings are prepared as the pipeline's stages do it."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.records import Recording, Source
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from curation.stages.loudness import Loudness
from curation.train.checkpoint.speech_info import FILE
from curation.train.infer.preparation import MARGIN_SECONDS, Preparation, trim
from curation.train.infer.speech_model import SpeechModel
from tests.support.real_speech import librivox

MARGIN = round(MARGIN_SECONDS * 16_000)


@pytest.fixture(scope="module")
def speech():
    return librivox()[0]


@pytest.fixture(scope="module")
def prepare():
    return Preparation()


def test_it_is_what_the_stages_make_of_a_recording_without_its_ends(speech):
    recording = Recording(Source("one", "one.wav"), audio=speech)
    Loudness().process([recording])
    after_loudness = recording.audio
    stage = Denoise(DenoiseConfig(choose="always"))
    stage.setup()
    stage.process([recording])
    ours = Preparation(DenoiseConfig(choose="always"))(after_loudness)
    windows = np.lib.stride_tricks.sliding_window_view(recording.denoised, 800)
    found = np.abs(windows - ours[:800]).max(axis=1).argmin()
    np.testing.assert_allclose(ours, recording.denoised[found : found + len(ours)], atol=1e-5)


def test_silence_around_speech_changes_nothing_of_it(speech, prepare):
    quiet = np.zeros(8000, np.float32)
    once = prepare(speech)
    twice = prepare(np.concatenate([quiet, speech, quiet]))
    assert abs(len(once) - len(twice)) <= 0.1 * 16_000
    assert np.abs(twice).max() == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize("samples", [0, 1, 5000])
def test_silence_stays(prepare, samples):
    silence = np.zeros(samples, np.float32)
    np.testing.assert_array_equal(prepare(silence), silence)


@given(before=st.integers(0, 9000), after=st.integers(0, 9000), loud=st.integers(400, 9000))
def test_trimming_leaves_the_loud_part_and_a_margin(before, after, loud):
    tone = 0.3 * np.sin(np.arange(loud) * 0.3).astype(np.float32)
    wave = np.concatenate([np.zeros(before, np.float32), tone, np.zeros(after, np.float32)])
    kept = trim(wave)
    assert loud <= len(kept) <= loud + 2 * (MARGIN + 320)
    start = next(i for i in range(before + 1) if np.array_equal(wave[i : i + len(kept)], kept))
    assert start <= before
    assert start + len(kept) >= before + loud


def test_a_model_gets_prepared_waves(checkpoint, speech):
    heard = []

    def prepare(wave):
        heard.append(len(wave))
        return wave[:8000]

    model = SpeechModel.open(checkpoint, prepare=prepare)
    plain = SpeechModel.open(checkpoint, prepare=lambda wave: wave)
    assert model.transcribe([speech]) == plain.transcribe([speech[:8000]])
    np.testing.assert_array_equal(model.voice(speech), plain.voice(speech[:8000]))
    assert heard == [len(speech)] * 2


def test_a_checkpoint_says_how_its_inputs_are_prepared(checkpoint, speech, tmp_path):
    """As its corpus was denoised; without a word about that, as it is."""
    folder = shutil.copytree(checkpoint, tmp_path / "model")
    listed = json.loads((folder / FILE).read_text())
    wave = np.concatenate([np.zeros(8000, np.float32), speech])
    raw = SpeechModel.open(folder).voice(wave)
    for settings in ({"choose": "always"}, {"choose": "always", "denoiser": "spectral"}, {"choose": "never"}):
        (folder / FILE).write_text(json.dumps(listed | {"denoise": settings}))
        found = SpeechModel.open(folder).voice(wave)
        expected = SpeechModel.open(folder, prepare=Preparation(DenoiseConfig(**settings))).voice(wave)
        np.testing.assert_array_equal(found, expected)
        assert not np.array_equal(found, raw)
    (folder / FILE).write_text(json.dumps(listed | {"denoise": {"denoiser": "magic"}}))
    with pytest.raises(ValueError, match=r"speech_tokenizers\.json: denoise: denoiser: .*magic"):
        SpeechModel.open(folder)


@pytest.mark.parametrize("samples", [1, 100, 1000])
def test_a_blip_is_prepared_too(prepare, speech, samples):
    assert 1 <= len(prepare(speech[20_000 : 20_000 + samples])) <= samples
