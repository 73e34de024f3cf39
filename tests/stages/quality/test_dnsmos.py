"""DNSMOS against the numbers of the speechmos package."""

import numpy as np
import pytest

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE
from curation.stages.quality.dnsmos import WINDOW, starts
from tests.support.dummies import mix, noise, speech

NOISY = peak_normalize(mix(speech(10.0), noise(10.0), 5.0))


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


def test_only_audio_shorter_than_a_window_is_repeated(dnsmos):
    assert dnsmos.score(NOISY[:WINDOW]) == dnsmos.score(NOISY[: WINDOW + SAMPLE_RATE // 2])
    assert dnsmos.score(NOISY[: WINDOW // 2]) == dnsmos.score(np.tile(NOISY[: WINDOW // 2], 2))


def test_empty_audio_has_no_score(dnsmos):
    with pytest.raises(ValueError, match="no samples"):
        dnsmos.score(np.zeros(0, np.float32))
