"""Speaker embeddings of real voices."""

import numpy as np
import pytest

from curation.stages.diarize.campplus.encoder import PIECE, SpeakerEncoder, load_encoder
from tests.support.real_speech import SAMPLE, TWO_CITIES, wave


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    return load_encoder("campplus")


def part(reference: str, start: float, seconds: float) -> np.ndarray:
    first = round(start * 16_000)
    return wave(reference)[first : first + round(seconds * 16_000)]


def test_voices_are_told_apart_at_any_level(encoder):
    reader, again, other = encoder.embed(
        [part(TWO_CITIES, 2, 4), part(TWO_CITIES, 30, 4) * np.float32(0.01), part(SAMPLE, 22, 4)]
    )
    assert 1 - reader @ again < 0.4
    assert 1 - reader @ other > 0.7


def test_an_embedding_does_not_depend_on_its_batch(encoder):
    waves = [part(TWO_CITIES, start, seconds) for start, seconds in ((2, 3), (9, 1.2), (20, 2))]
    together = encoder.embed(waves)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for one, w in zip(together, waves, strict=True):
        np.testing.assert_array_equal(one, encoder.embed([w])[0])


def test_too_little_has_no_embedding(encoder):
    assert np.isnan(encoder.embed([np.zeros(1599, np.float32), np.zeros(0, np.float32)])).all()
    assert encoder.embed([]).shape == (0, 192)
    assert encoder.windows(part(TWO_CITIES, 2, 1.4)).shape == (0, 192)


def test_a_long_wave_is_embedded_in_pieces(encoder):
    long = wave(TWO_CITIES)[: PIECE + 16_000]
    halves = encoder.embed(np.array_split(long, 2))
    mean = halves.mean(axis=0)
    np.testing.assert_allclose(encoder.embed([long])[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_windows_follow_a_change_of_voice(encoder):
    windows = encoder.windows(np.concatenate([part(TWO_CITIES, 2, 3), part(SAMPLE, 22, 3)]))
    assert windows.shape == (6, 192)
    distances = 1 - windows @ windows.T
    assert distances[:2, :2].max() < 0.55 < distances[:2, 4:].min()
