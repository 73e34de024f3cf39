"""Recordings are prepared as the pipeline's stages do it."""

import json
import shutil

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.manifests.records import Recording, Source
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from curation.stages.loudness import Loudness
from curation.train.checkpoint.speech_info import FILE
from curation.train.infer.long_text import join_texts
from curation.train.infer.preparation import Preparation, preparation_for
from curation.train.infer.speech_model import SpeechModel
from tests.support.real_speech import librivox


@pytest.fixture(scope="module")
def speech():
    return librivox()[1]


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
    (ours,) = Preparation(DenoiseConfig(choose="always"))(after_loudness)
    windows = np.lib.stride_tricks.sliding_window_view(recording.denoised, 200)
    found = np.abs(windows - ours[:200]).max(axis=1).argmin()
    np.testing.assert_allclose(ours, recording.denoised[found : found + len(ours)], atol=1e-5)


def test_silence_around_speech_is_left_out(speech, prepare):
    quiet = np.zeros(8000, np.float32)
    (once,) = prepare(speech)
    (twice,) = prepare(np.concatenate([quiet, speech, quiet]))
    assert abs(len(once) - len(twice)) <= 0.3 * 16_000  # an edge is accurate to about 0.1 s
    assert np.abs(twice).max() == pytest.approx(0.6, abs=1e-3)


@pytest.mark.parametrize("level", [0.002, 0.005])
def test_noise_behind_speech_is_left_out(speech, prepare, level):
    """50 and 42 dB below the peak. Builds leave it out, so a model does not know it."""
    noise = level * np.random.default_rng(0).standard_normal(len(speech) + 16_000).astype(np.float32)
    noise[: len(speech)] += speech
    longer, shorter = (sum(map(len, prepare(wave))) for wave in (noise, noise[: len(speech)]))
    assert longer - shorter <= 0.3 * 16_000


def test_pauses_are_where_utterances_end(speech, prepare):
    """Longer ones than builds leave inside of an utterance (0.8 s); the model never heard such."""
    pause = 0.001 * np.random.default_rng(0).standard_normal(24_000).astype(np.float32)
    alone = prepare(speech)
    both = prepare(np.concatenate([speech, pause, 0.1 * speech]))
    assert len(both) == 2 * len(alone)
    for one, other in zip(both, alone * 2, strict=True):
        assert abs(len(one) - len(other)) <= 0.3 * 16_000
        assert np.abs(one).max() == pytest.approx(0.6, abs=1e-3)  # each is scaled, as a build's are


@pytest.mark.parametrize("samples", [0, 1, 5000])
def test_silence_stays(prepare, samples):
    silence = np.zeros(samples, np.float32)
    (kept,) = prepare(silence)
    np.testing.assert_array_equal(kept, silence)


def test_a_model_gets_prepared_utterances(checkpoint, speech):
    heard = []

    def prepare(wave):
        heard.append(len(wave))
        return [wave[:8000], wave[20_000:28_000]]

    model = SpeechModel.open(checkpoint, prepare=prepare)
    plain = SpeechModel.open(checkpoint, prepare=lambda wave: [wave])
    first, second = speech[:8000], speech[20_000:28_000]
    assert model.transcribe([speech]) == [join_texts(plain.transcribe([first, second]))]
    np.testing.assert_array_equal(model.voice(speech), plain.voice(np.concatenate([first, second])))
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


@pytest.mark.parametrize("denoise", [None, {"choose": "never"}])
def test_utterances_are_cut_as_those_of_the_corpus(speech, denoise):
    """Of one whose recordings were not denoised too."""
    pause = np.zeros(24_000, np.float32)
    wave = np.concatenate([speech[:48_000], pause, speech[:48_000]])
    assert len(preparation_for(denoise, {"whole": False})(wave)) == 2
    (whole,) = preparation_for(denoise, {"whole": True})(wave)
    assert len(whole) > len(wave) - 16_000
    short = preparation_for(denoise, {"max_seconds": 1.5, "whole": True})(wave)
    assert max(map(len, short)) <= 1.5 * 16_000
    assert preparation_for({})._stage.config == DenoiseConfig()  # as the stage is where nothing is set
    with pytest.raises(DataError, match=r"speech_tokenizers\.json: cuts: max_seconds: "):
        preparation_for(denoise, {"max_seconds": "long"})


@pytest.mark.parametrize("samples", [1, 100, 1000])
def test_a_blip_is_prepared_too(prepare, speech, samples):
    (kept,) = prepare(speech[20_000 : 20_000 + samples])
    assert 1 <= len(kept) <= samples


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda wave: wave, r"prepare= must give a list of utterances, one or more, not ndarray: return \[wave\]"),
        (lambda _: [], "not none"),
        (lambda wave: [wave * np.nan], "NaN"),
    ],
)
def test_a_preparation_that_gives_no_utterances_is_named(checkpoint, prepare, message):
    model = SpeechModel.open(checkpoint, prepare=prepare)
    with pytest.raises(DataError, match=message):
        model.transcribe([np.full(16000, 0.1, np.float32)])
