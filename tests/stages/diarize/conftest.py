"""What the tests of diarization share."""

import pytest

from tests.support.real_speech import SAMPLE, wave


@pytest.fixture(scope="session")
def crosstalk(diarizer):
    """14 s of telephone speech with overlaps, and the turns in it."""
    samples = wave(SAMPLE)[6 * 16_000 : 20 * 16_000]
    return samples, diarizer.diarizer.diarize(samples)
