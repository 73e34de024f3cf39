"""What every denoiser must do (`base.py`): keep time, keep speech, take noise away, remember nothing."""

import builtins

import numpy as np
import pytest

from curation.audio.levels import peak_normalize
from curation.stages.denoise.registry import DENOISERS
from tests.support.dummies import mix, noise, speech, tone

NOISY = peak_normalize(mix(speech(2.0), noise(2.0), 5.0))


@pytest.fixture(scope="module", params=DENOISERS)
def denoiser(request):
    built = DENOISERS[request.param]()
    built.load()
    return built


def lag(reference, wave) -> float:
    """Samples at 16 kHz by which `wave` comes after `reference`, in steps of 1/3 sample."""
    size = 2 ** int(np.ceil(np.log2(2 * len(reference))))
    spectrum = np.fft.rfft(reference, size).conj() * np.fft.rfft(wave, size)
    correlation = np.fft.irfft(spectrum, 3 * size)
    place = int(np.argmax(correlation))
    return (place - 3 * size if place > 1.5 * size else place) / 3


@pytest.mark.parametrize("start", [0.0, 30.0, pytest.param(12.0, marks=pytest.mark.slow)])
def test_output_is_aligned(denoiser, start):
    wave = peak_normalize(speech(3.0, start))
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
    denoiser.denoise(tone(1.0))
    np.testing.assert_array_equal(denoiser.denoise(NOISY), first)


@pytest.mark.parametrize("kind", DENOISERS)
def test_the_first_recording_waits_for_no_import_of_scipy(kind, monkeypatch):
    names, real = [], builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda name, *rest: names.append(name) or real(name, *rest))
    built = DENOISERS[kind]()
    built.load()
    is_loaded = "scipy.signal" in names
    names.clear()
    built.denoise(NOISY[:16_000])
    assert is_loaded or not any(name.startswith("scipy") for name in names)
