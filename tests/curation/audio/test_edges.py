"""Evidence at a cut, on signals whose truth is known by construction."""

import numpy as np
import pytest

from curation.audio.edges import across, inside
from curation.audio.levels import frame_energy

SECOND = 16_000


def voice(seconds, hertz=120):
    """A steady vowel: harmonics that fall off, with some breath."""
    time = np.arange(round(seconds * SECOND)) / SECOND
    tone = sum(np.cos(2 * np.pi * hertz * n * time) / n for n in range(1, 30))
    return (0.1 * tone + 0.002 * noise(seconds)).astype(np.float32)


def noise(seconds, seed=0):
    return np.random.default_rng(seed).standard_normal(round(seconds * SECOND)).astype(np.float32)


def spoken_until(level_db):
    """One second of a voice, then one of noise at a level below it; and the level of the voice."""
    samples = np.concatenate([voice(1), np.zeros(SECOND, np.float32)])
    speech = float(np.quantile(frame_energy(voice(1)), 0.9))
    return samples + noise(2, seed=1) * np.float32(10 ** ((speech + level_db) / 20)), speech


@pytest.mark.parametrize("level_db", [-60, -30, -20, -10])
def test_in_speech_all_evidence_is_high_and_in_a_pause_low_whatever_the_noise(level_db):
    samples, speech = spoken_until(level_db)
    presence, beyond, voiced, voiced_edge = across(samples, SECOND - 1600, 1, speech)
    assert presence > 0.3
    assert beyond == pytest.approx(-3, abs=3)  # two thirds of the 150 ms are voice
    assert min(voiced, voiced_edge) > 0.7
    presence, beyond, voiced, voiced_edge = across(samples, SECOND + 3200, 1, speech)
    assert presence < 0.1
    assert beyond == pytest.approx(max(level_db, -50), abs=1.5)
    assert max(voiced, voiced_edge) < 0.6


def test_both_sides_are_mirrored():
    samples, speech = spoken_until(-30)
    mirrored = across(samples[::-1], len(samples) - SECOND, 0, speech)
    assert mirrored == pytest.approx(across(samples, SECOND, 1, speech), abs=0.02)


def test_breath_counts_less_than_speech():
    """The same voice in a pause of digital silence, at the level of speech and 26 dB below it."""
    found = []
    for level_db in (0, -26):
        quiet = np.zeros(SECOND, np.float32)
        sound = voice(0.3) * np.float32(10 ** (level_db / 20))
        samples = np.concatenate([voice(1), quiet, sound, quiet])
        speech = float(np.quantile(frame_energy(voice(1)), 0.9))
        found.append(across(samples, 2 * SECOND + len(sound) // 2, 1, speech))
    (loud, _, loud_voice, _), (breath, _, breath_voice, _) = found
    assert loud > 4 * breath
    assert loud_voice > 4 * breath_voice


def test_with_less_than_150_ms_beyond_only_the_inside_is_heard():
    samples, speech = spoken_until(-30)
    assert across(samples, 15 * 160 - 1, 0, speech) is None
    assert across(samples, 15 * 160, 0, speech) is not None
    assert across(samples, len(samples) - 15 * 160 + 1, 1, speech) is None
    changed = samples.copy()
    changed[:8000] = noise(0.5)
    np.testing.assert_array_equal(inside(samples, 8000, 0, speech), inside(changed, 8000, 0, speech))
    assert inside(samples, 8000, 0, speech)[1] > 0.9
    assert inside(samples, len(samples), 1, speech).max() < 0.3


def test_digital_silence_is_no_better_a_pause_than_a_quiet_room():
    silent, speech = spoken_until(-300)
    room, _ = spoken_until(-70)
    at = SECOND + 800
    assert across(silent, at, 1, speech) == pytest.approx(across(room, at, 1, speech), abs=0.1)
