"""The choice between the original and the denoised audio, on real speech."""

import numpy as np
import psutil
import pytest

from curation.audio.levels import peak_normalize
from curation.core.errors import ModelError
from curation.manifests.records import Recording, Source
from curation.stages.base import run_stage
from curation.stages.denoise.spectral import Spectral
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from tests.support.dummies import mix, noise, speech, tone

NOISY = peak_normalize(mix(speech(10.0), noise(10.0), 5.0))


def recording(wave) -> Recording:
    return Recording(Source("talk", ""), num_samples=len(wave), audio=wave)


def denoised(wave, **config) -> Recording:
    stage, row = Denoise(DenoiseConfig(**config)), recording(wave)
    stage.setup()
    run_stage(stage, [row])
    assert row.verdict is None
    return row


def test_the_better_one_is_kept():
    row = denoised(NOISY)
    assert row.notes["denoise.chosen"] == "rnnoise"
    assert row.scores["dnsmos.after.ovrl"] > row.scores["dnsmos.before.ovrl"] + 0.5
    assert set(row.scores) == {f"dnsmos.{when}.{key}" for when in ("before", "after") for key in ("ovrl", "sig", "bak")}
    np.testing.assert_array_equal(row.audio, NOISY)
    assert np.abs(row.denoised).max() == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize(("choose", "chosen"), [("never", "original"), ("always", "rnnoise")])
def test_choice_by_configuration(choose, chosen):
    row = denoised(NOISY[:48_000], choose=choose)
    assert row.notes["denoise.chosen"] == chosen
    np.testing.assert_array_equal(row.audio, NOISY[:48_000])
    assert (row.denoised is None) == (chosen == "original")
    assert "dnsmos.after.ovrl" in row.scores


def test_silence_is_left_alone():
    row = denoised(np.zeros(16_000, np.float32))
    assert row.denoised is None
    assert row.notes["denoise.chosen"] == "original"


def test_result_does_not_depend_on_the_batch():
    stage = Denoise()
    stage.setup()
    waves = [NOISY, speech(4.0), tone(1.0)]
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


def test_the_decision_is_the_one_of_dnsmos():
    """On clean speech RNNoise lowers the score; on noisy speech it raises it."""
    stage = Denoise()
    stage.setup()
    for wave in (speech(6.0, 4.0), NOISY[:96_000]):
        row = recording(wave)
        run_stage(stage, [row])
        better = row.scores["dnsmos.after.ovrl"] > row.scores["dnsmos.before.ovrl"]
        assert row.notes["denoise.chosen"] == ("rnnoise" if better else "original")


def test_the_peak_is_the_one_of_the_configuration():
    row = denoised(NOISY[:16_000], choose="always", peak=0.25, denoiser="spectral")
    assert np.abs(row.denoised).max() == pytest.approx(0.25, abs=1e-6)


def test_the_denoiser_is_the_one_of_the_configuration():
    row = denoised(NOISY[:48_000], choose="always", denoiser="spectral")
    expected = peak_normalize(Spectral().denoise(peak_normalize(NOISY[:48_000])))
    assert row.notes["denoise.chosen"] == "spectral"
    np.testing.assert_array_equal(row.denoised, expected)


def test_windows_of_dnsmos_follow_the_length(dnsmos):
    """One for each started 7 s of 12 s: the mean over two of three windows."""
    wave = peak_normalize(speech(12.1))
    row = denoised(wave, choose="never", denoiser="spectral", seconds_per_window=7.0)
    assert row.scores["dnsmos.before.ovrl"] == pytest.approx(dnsmos.score(wave, max_windows=2).ovrl, abs=1e-4)
    assert row.scores["dnsmos.before.ovrl"] != pytest.approx(dnsmos.score(wave, max_windows=1).ovrl, abs=1e-3)


def test_scores_are_those_of_the_audio_before_and_after(dnsmos):
    row = denoised(NOISY[:160_000], choose="always", denoiser="spectral")
    before, after = dnsmos.score(peak_normalize(NOISY[:160_000]), 1), dnsmos.score(row.denoised, 1)
    for when, quality in (("before", before), ("after", after)):
        for key in ("ovrl", "sig", "bak"):
            assert row.scores[f"dnsmos.{when}.{key}"] == round(getattr(quality, key), 4)


def test_another_model_is_looked_for_where_the_configuration_says(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        Denoise(DenoiseConfig(dnsmos_model=f"path:{tmp_path}/none")).setup()


def test_dnsmos_has_as_many_threads_as_the_configuration_says():
    stages = [Denoise(DenoiseConfig(threads=threads, denoiser="spectral")) for threads in (1, 4)]
    running = [psutil.Process().num_threads()]
    for stage in stages:
        stage.setup()
        running.append(psutil.Process().num_threads())
    assert np.diff(running).tolist() == [0, 3]


def test_rows_without_audio_and_the_original_are_left():
    stage = Denoise(DenoiseConfig(denoiser="spectral", choose="always"))
    stage.setup()
    wave = NOISY[:16_000].copy()
    empty, row = Recording(Source("a", ""), num_samples=16_000), recording(wave)
    row.original = wave
    run_stage(stage, [empty, row])
    assert (empty.verdict, empty.audio, empty.scores) == (None, None, {})
    np.testing.assert_array_equal(row.original, NOISY[:16_000])
    np.testing.assert_array_equal(row.audio, NOISY[:16_000])
    assert not np.array_equal(row.denoised, row.original)
