"""DNSMOS against the numbers of the speechmos package."""

import numpy as np
import pytest

from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ModelError
from curation.stages.quality.dnsmos import WINDOW, Dnsmos, starts
from tests.support.dummies import mix, noise, speech

NOISY = peak_normalize(mix(speech(10.0), noise(10.0), 5.0))


# Means that speechmos 0.0.1.1 (with librosa 0.11.0) gives for the same audio: OVRL, SIG, BAK; shorter audio than a
# window is repeated there until it fills one, and here for a second.
SPEECHMOS = [
    (speech(12.7), (3.30051939161265, 3.6679270591319555, 3.896897878509668), 1e-4),
    (speech(3.1, 5.0), (2.943590117576802, 3.5851830866168335, 3.389582860448474), 0.15),
    (speech(8.0, 20.0), (3.2085003676351396, 3.638439478353812, 3.793890700452654), 0.05),
    (NOISY, (1.9244456451282028, 3.4524128440358295, 1.7317643765613402), 1e-4),
]


@pytest.mark.parametrize(("wave", "expected", "near"), SPEECHMOS, ids=["several windows", "short", "8 s", "noisy"])
def test_scores_are_those_of_speechmos(dnsmos, wave, expected, near):
    quality = dnsmos.score(peak_normalize(wave))
    assert (quality.ovrl, quality.sig, quality.bak) == pytest.approx(expected, abs=near)


@pytest.mark.parametrize(
    "samples",
    [
        1,
        159,
        160,
        1600,
        15_999,
        WINDOW - 1,
        *(pytest.param(n, marks=pytest.mark.slow) for n in (WINDOW - 16_000, WINDOW, WINDOW + 1)),
    ],
)
def test_any_length_has_scores_between_1_and_5(dnsmos, samples):
    """Down to a single sample, which is heard as a second."""
    quality = dnsmos.score(peak_normalize(speech(10.0)[:samples]), max_windows=1)
    assert all(0.9 < value < 5 for value in (quality.sig, quality.bak, quality.ovrl))


def test_another_network_is_refused(tmp_path):
    (tmp_path / "sig_bak_ovr.onnx").write_bytes(b"something else")
    with pytest.raises(ModelError, match="144160 samples"):
        Dnsmos(f"path:{tmp_path}")


def test_windows_are_spread_over_the_audio():
    wave = np.zeros(60 * SAMPLE_RATE, np.float32)
    assert starts(wave) == [second * SAMPLE_RATE for second in range(51)]
    assert starts(wave, 3) == [0, 25 * SAMPLE_RATE, 50 * SAMPLE_RATE]
    assert starts(wave, 1) == starts(wave[:1]) == [0]
    assert all(start + WINDOW <= len(wave) for start in starts(wave))


def test_only_audio_shorter_than_a_window_is_repeated(dnsmos):
    assert dnsmos.score(NOISY[:WINDOW]) == dnsmos.score(NOISY[: WINDOW + SAMPLE_RATE // 2])
    half = NOISY[: WINDOW // 2]
    score = dnsmos.score(half)
    assert score != dnsmos.score(np.concatenate([half, np.zeros(WINDOW - len(half), np.float32)]))
    assert score.ovrl == pytest.approx(dnsmos.score(np.tile(half, 2)).ovrl, abs=0.1)


def test_empty_audio_has_no_score(dnsmos):
    with pytest.raises(ValueError, match="no samples"):
        dnsmos.score(np.zeros(0, np.float32))
