"""What is published denoised, and what models hear, on real speech."""

import numpy as np
import pytest

from curation.audio.levels import peak_normalize
from curation.audio.quality import snr_db
from curation.core.timing import take_model_seconds
from curation.manifests.records import Recording, Source
from curation.stages.base import run_stage
from curation.stages.denoise.spectral import Spectral
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from tests.support.dummies import mix, noise, speech, tone

NOISY = peak_normalize(mix(speech(10.0), noise(10.0), 5.0))
CLEAN = speech(10.0)


def recording(wave) -> Recording:
    return Recording(Source("talk", ""), num_samples=len(wave), audio=wave)


def denoised(wave, **config) -> Recording:
    stage, row = Denoise(DenoiseConfig(**config)), recording(wave)
    stage.setup()
    run_stage(stage, [row])
    assert row.verdict is None
    return row


@pytest.fixture(scope="module")
def noisy_and_clean():
    stage, rows = Denoise(), [recording(NOISY), recording(CLEAN)]
    stage.setup()
    run_stage(stage, rows)
    return rows


def test_by_default_noise_is_lowered_and_a_clean_recording_is_published_as_it_was(noisy_and_clean):
    noisy, clean = noisy_and_clean
    assert (noisy.notes["denoise.chosen"], clean.notes["denoise.chosen"]) == ("deepfilternet3", "original")
    assert noisy.scores["denoise.snr_db"] == pytest.approx(5.0, abs=2.0)
    assert clean.scores["denoise.snr_db"] > 17.0
    assert clean.denoised is None
    assert np.abs(noisy.denoised).max() == pytest.approx(0.6, abs=1e-6)
    assert snr_db(noisy.denoised) == pytest.approx(snr_db(NOISY) + 6.0, abs=2.0)


def test_models_hear_the_recording_as_it_was(noisy_and_clean):
    for row, wave in zip(noisy_and_clean, (NOISY, CLEAN), strict=True):
        np.testing.assert_array_equal(row.audio, wave)


@pytest.mark.parametrize(("choose", "chosen"), [("never", "original"), ("always", "spectral")])
def test_choice_by_configuration(choose, chosen):
    take_model_seconds()
    row = denoised(CLEAN[:48_000], choose=choose, denoiser="spectral")
    assert ("denoise.spectral" in take_model_seconds()) == (chosen == "spectral")  # what is not chosen is not run
    assert row.notes["denoise.chosen"] == chosen
    assert (row.denoised is None) == (chosen == "original")
    assert "denoise.snr_db" in row.scores


def test_a_recording_is_noisy_below_the_limit():
    measured = denoised(NOISY[:48_000], choose="never", denoiser="spectral").scores["denoise.snr_db"]
    for limit, chosen in ((measured - 0.1, "original"), (measured + 0.1, "spectral")):
        row = denoised(NOISY[:48_000], denoiser="spectral", max_snr_db=limit)
        assert row.notes["denoise.chosen"] == chosen


@pytest.mark.parametrize(("limit", "left"), [(None, 0.0), (6.0, 0.501187), (20.0, 0.1)])
def test_the_limit_leaves_a_share_of_what_was_there(limit, left):
    wave = NOISY[:48_000]
    row = denoised(wave, choose="always", denoiser="spectral", attenuation_limit_db=limit)
    expected = peak_normalize(left * wave + (1 - left) * Spectral().denoise(wave))
    np.testing.assert_allclose(row.denoised, expected, atol=1e-5)


def test_silence_is_published_as_silence():
    row = denoised(np.zeros(16_000, np.float32))
    assert not row.denoised.any()


def test_result_does_not_depend_on_the_batch():
    stage = Denoise(DenoiseConfig(denoiser="rnnoise", choose="always"))
    stage.setup()
    waves = [NOISY[:40_000], speech(2.0), tone(0.5)]
    together, alone = [recording(wave) for wave in waves], [recording(wave) for wave in waves]
    run_stage(stage, together)
    for row in reversed(alone):
        run_stage(stage, [row])
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one.denoised, other.denoised)
        assert one.scores == other.scores


def test_unknown_denoiser_is_named():
    with pytest.raises(ValueError, match="unknown denoiser 'magic': expected one of deepfilternet3, rnnoise, spectral"):
        DenoiseConfig(denoiser="magic")


def test_rows_without_audio_and_the_original_are_left():
    stage = Denoise(DenoiseConfig(denoiser="spectral", choose="always"))
    stage.setup()
    wave = NOISY[:16_000].copy()
    empty, row = Recording(Source("a", ""), num_samples=16_000), recording(wave)
    row.original = wave
    run_stage(stage, [empty, row])
    assert (empty.verdict, empty.denoised, empty.scores) == (None, None, {})
    np.testing.assert_array_equal(row.original, NOISY[:16_000])
    assert not np.array_equal(row.denoised, row.original)
