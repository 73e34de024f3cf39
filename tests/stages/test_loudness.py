"""The compressor against a plain loop, its static curve, and peak normalisation."""

import builtins
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Recording, Source
from curation.stages.base import run_stage
from curation.stages.loudness import Loudness, LoudnessConfig, compress, reduction_db, smooth
from tests.support.dummies import mix, noise, speech, tone

CONFIG = LoudnessConfig()


def level_range(wave) -> float:
    """dB between loud and soft 100 ms frames of speech."""
    frames = wave[: len(wave) // 1600 * 1600].reshape(-1, 1600)
    power = 10 * np.log10(np.mean(np.square(frames), axis=1) + 1e-12)
    return float(np.percentile(power, 95) - np.percentile(power, 30))


@pytest.mark.parametrize(("attack_ms", "release_ms"), [(5.0, 250.0), (20.0, 60.0)])
def test_ballistics_equal_the_plain_recursion(attack_ms, release_ms):
    config = LoudnessConfig(attack_ms=attack_ms, release_ms=release_ms)
    wave = speech(3.0)
    level = 20 * np.log10(np.maximum(np.abs(wave) / np.abs(wave).max(), 1e-6))
    reduction = reduction_db(level, config)
    attack = np.exp(-1000 / (attack_ms * SAMPLE_RATE))
    release = np.exp(-1000 / (release_ms * SAMPLE_RATE))
    held = smoothed = 0.0
    expected = np.zeros(len(reduction))
    for index, value in enumerate(reduction.astype(float)):
        held = max(value, release * held)
        smoothed = attack * smoothed + (1 - attack) * held
        expected[index] = smoothed
    assert expected.max() > 3
    np.testing.assert_allclose(smooth(reduction, config), expected, atol=1e-4)


def test_ballistics_stay_exact_over_a_long_span():
    reduction = np.tile(reduction_db(20 * np.log10(np.abs(speech(10.0)) + 1e-6) + 12, CONFIG), 60)
    np.testing.assert_allclose(
        smooth(reduction, CONFIG)[-16_000:], smooth(reduction[-160_000:], CONFIG)[-16_000:], atol=1e-4
    )


@pytest.mark.parametrize("knee", [0.0, 6.0, 20.0])
def test_static_curve(knee):
    config = LoudnessConfig(threshold_db=-20.0, ratio=4.0, knee_db=knee)
    levels = np.linspace(-60, 0, 6001, dtype=np.float32)
    out = levels - reduction_db(levels, config)
    np.testing.assert_array_equal(out[levels < -20 - knee / 2], levels[levels < -20 - knee / 2])
    above = levels > -20 + knee / 2
    np.testing.assert_allclose(out[above], -20 + (levels[above] + 20) / 4, atol=1e-3)
    assert np.all(np.diff(out) > 0)
    assert np.abs(np.diff(out, 2)).max() < (0.02 if knee == 0 else 0.002)  # no step; no kink either with a knee


def test_a_steady_tone_is_reduced_by_the_static_curve():
    config = LoudnessConfig(threshold_db=-20.0, ratio=4.0, knee_db=0.0, release_ms=1000.0)
    quiet, loud = tone(1.0, 1000, 0.05), tone(1.0, 1000, 1.0)
    out = compress(np.concatenate([quiet, loud]), config)
    ratio_db = 20 * np.log10(np.abs(out[24_000:]).max() / np.abs(out[:12_000]).max())
    assert ratio_db == pytest.approx(26.0 - 15.0, abs=0.3)


def test_speech_loses_range_and_keeps_its_shape():
    wave = speech(20.0)
    out = compress(wave, CONFIG)
    assert level_range(out) < level_range(wave) - 2
    assert np.corrcoef(out, wave)[0, 1] > 0.95


def test_ratio_one_changes_nothing():
    np.testing.assert_array_equal(compress(speech(2.0), LoudnessConfig(ratio=1.0)), speech(2.0))


@given(gain_db=st.floats(-80, 80))
def test_result_does_not_depend_on_the_input_level(gain_db):
    wave = mix(speech(1.0, 4.0), noise(1.0), 20)
    gained = (wave * 10 ** (gain_db / 20)).astype(np.float32)
    difference = peak_normalize(compress(gained, CONFIG)) - peak_normalize(compress(wave, CONFIG))
    assert np.abs(difference).max() < 1e-4


@given(peak=st.floats(1e-44, 1e30), length=st.integers(1, 2000), seed=st.integers(0, 9))
def test_peak_is_exact_to_16_bits(peak, length, seed):
    wave = (noise(1.0, seed)[:length].astype(float) * peak).astype(np.float32)
    if not np.any(wave):
        return
    normal = peak_normalize(wave)
    assert normal.dtype == np.float32
    assert np.abs(normal).max() == pytest.approx(0.6, abs=1 / 65_536)


@pytest.mark.parametrize("wave", [np.zeros(1000, np.float32), np.zeros(0, np.float32)])
def test_silence_stays_silence(wave):
    np.testing.assert_array_equal(peak_normalize(wave), wave)
    np.testing.assert_array_equal(compress(wave, CONFIG), wave)


def test_stage():
    loud, silent = speech(5.0), np.zeros(800, np.float32)
    rows = [Recording(Source(str(i), ""), num_samples=len(w), audio=w) for i, w in enumerate([loud, silent])]
    run_stage(Loudness(), rows)
    assert all(row.verdict is None for row in rows)
    assert np.abs(rows[0].audio).max() == pytest.approx(0.6, abs=1e-6)
    assert rows[0].audio.shape == loud.shape
    np.testing.assert_array_equal(rows[1].audio, silent)


@pytest.mark.parametrize("peak", [0.1, 0.9])
def test_the_peak_is_the_one_of_the_configuration(peak):
    row = Recording(Source("a", ""), num_samples=16_000, audio=speech(1.0, 4.0))
    run_stage(Loudness(LoudnessConfig(peak=peak)), [row])
    assert np.abs(row.audio).max() == pytest.approx(peak, abs=1e-6)


def test_what_was_decoded_is_not_written_into():
    """Diarization listens to it later."""
    wave = speech(1.0, 4.0)
    before = wave.copy()
    row = Recording(Source("a", ""), num_samples=16_000, audio=wave, original=wave)
    run_stage(Loudness(), [row])
    np.testing.assert_array_equal(row.original, before)
    assert row.audio is not row.original


def test_a_recording_without_audio_is_left():
    row = Recording(Source("a", ""), num_samples=16_000)
    run_stage(Loudness(), [row])
    assert (row.verdict, row.audio) == (None, None)


CHANGES = [
    {"threshold_db": -40.0},
    {"ratio": 4.0},
    {"knee_db": 30.0},
    {"attack_ms": 50.0},
    {"release_ms": 30.0},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_every_setting_of_the_compressor_does_something(change):
    wave = speech(2.0, 4.0)
    assert not np.allclose(compress(wave, LoudnessConfig(**change)), compress(wave, CONFIG), atol=1e-4)


def test_no_gain_is_ever_above_one():
    wave = speech(2.0, 4.0)
    assert np.all(np.abs(compress(wave, CONFIG)) <= np.abs(wave) + 1e-7)


def test_silence_within_speech_is_no_reason_for_a_warning():
    wave = np.concatenate([speech(1.0, 4.0), np.zeros(8000, np.float32), speech(1.0, 4.0)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = compress(wave, CONFIG)
    assert np.isfinite(out).all()


def test_the_first_recording_waits_for_no_import_of_scipy(monkeypatch):
    names, real = [], builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda name, *rest: names.append(name) or real(name, *rest))
    Loudness().setup()
    assert "scipy.signal" in names
