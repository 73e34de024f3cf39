"""RNNoise and DNSMOS with their real weights on real speech."""

import numpy as np
import pytest

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Recording, Source
from curation.stages.base import run_stage
from curation.stages.denoise.dnsmos import WINDOW, Dnsmos, starts
from curation.stages.denoise.registry import DENOISERS
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from tests.support.dummies import mix, noise, speech, tone

NOISY = peak_normalize(mix(speech(10.0), noise(10.0), 5.0))


@pytest.fixture(scope="module", params=DENOISERS)
def denoiser(request):
    built = DENOISERS[request.param]()
    built.load()
    return built


@pytest.fixture(scope="module")
def dnsmos():
    return Dnsmos()


def recording(wave) -> Recording:
    return Recording(Source("talk", ""), num_samples=len(wave), audio=wave)


def denoised(wave, **config) -> Recording:
    stage, row = Denoise(DenoiseConfig(**config)), recording(wave)
    stage.setup()
    run_stage(stage, [row])
    assert row.verdict is None
    return row


def lag(reference, wave) -> float:
    """Samples at 16 kHz by which `wave` comes after `reference`, in steps of 1/3 sample."""
    size = 2 ** int(np.ceil(np.log2(2 * len(reference))))
    spectrum = np.fft.rfft(reference, size).conj() * np.fft.rfft(wave, size)
    correlation = np.fft.irfft(spectrum, 3 * size)
    place = int(np.argmax(correlation))
    return (place - 3 * size if place > 1.5 * size else place) / 3


@pytest.mark.parametrize("start", [0.0, 12.0, 30.0])
def test_output_is_aligned(denoiser, start):
    wave = peak_normalize(speech(6.0, start))
    out = denoiser.denoise(wave)
    assert out.shape == wave.shape
    assert lag(wave, out) == 0


@pytest.mark.parametrize("length", [0, 1, 159, 160, 161, 16_001])
def test_output_is_as_long_as_the_input(denoiser, length):
    out = denoiser.denoise(NOISY[:length])
    assert (out.shape, out.dtype) == ((length,), np.float32)
    assert np.isfinite(out).all()


def test_noise_goes_and_speech_stays(denoiser):
    wave, disturbance = speech(10.0), noise(10.0)
    noisy = mix(wave, disturbance, 5.0)
    scale = 0.6 / np.abs(noisy).max()
    out = denoiser.denoise((noisy * scale).astype(np.float32))
    before, after = (np.mean(np.square(audio - wave * scale)) for audio in (noisy * scale, out))
    assert after < before / 4
    assert np.corrcoef(out, wave)[0, 1] > 0.9


def test_each_wave_starts_afresh(denoiser):
    first = denoiser.denoise(NOISY)
    denoiser.denoise(tone(2.0))
    np.testing.assert_array_equal(denoiser.denoise(NOISY), first)


# Means that speechmos 0.0.1.1 (with librosa 0.11.0) gives for the same audio: OVRL, SIG, BAK.
SPEECHMOS = [
    (speech(12.7), (3.30051939161265, 3.6679270591319555, 3.896897878509668)),
    (speech(3.1, 5.0), (2.943590117576802, 3.5851830866168335, 3.389582860448474)),
    (speech(8.0, 20.0), (3.2085003676351396, 3.638439478353812, 3.793890700452654)),
    (NOISY, (1.9244456451282028, 3.4524128440358295, 1.7317643765613402)),
]


@pytest.mark.parametrize(("wave", "expected"), SPEECHMOS, ids=["several windows", "tiled", "doubled", "noisy"])
def test_scores_equal_those_of_speechmos(dnsmos, wave, expected):
    quality = dnsmos.score(peak_normalize(wave))
    assert (quality.ovrl, quality.sig, quality.bak) == pytest.approx(expected, abs=1e-4)


def test_windows_are_spread_over_the_audio():
    wave = np.zeros(60 * SAMPLE_RATE, np.float32)
    assert starts(wave) == [second * SAMPLE_RATE for second in range(51)]
    assert starts(wave, 3) == [0, 25 * SAMPLE_RATE, 50 * SAMPLE_RATE]
    assert starts(wave, 1) == [0]
    assert all(start + WINDOW <= len(wave) for start in starts(wave))


def test_empty_audio_has_no_score(dnsmos):
    with pytest.raises(ValueError, match="no samples"):
        dnsmos.score(np.zeros(0, np.float32))


def test_the_better_one_is_kept():
    row = denoised(NOISY)
    assert row.notes["denoise.chosen"] == "rnnoise"
    assert row.scores["dnsmos.after.ovrl"] > row.scores["dnsmos.before.ovrl"] + 0.5
    assert set(row.scores) == {f"dnsmos.{when}.{key}" for when in ("before", "after") for key in ("ovrl", "sig", "bak")}
    assert np.abs(row.audio).max() == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize(("choose", "chosen"), [("never", "original"), ("always", "rnnoise")])
def test_choice_by_configuration(choose, chosen):
    row = denoised(NOISY[:48_000], choose=choose)
    assert row.notes["denoise.chosen"] == chosen
    assert np.array_equal(row.audio, peak_normalize(NOISY[:48_000])) == (chosen == "original")
    assert "dnsmos.after.ovrl" in row.scores


def test_silence_is_left_alone():
    row = denoised(np.zeros(16_000, np.float32))
    np.testing.assert_array_equal(row.audio, np.zeros(16_000, np.float32))
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
        np.testing.assert_array_equal(one.audio, other.audio)
        assert one.scores == other.scores


def test_unknown_denoiser_is_named():
    with pytest.raises(ValueError, match="unknown denoiser 'magic': expected one of deepfilternet3, rnnoise, spectral"):
        DenoiseConfig(denoiser="magic")
