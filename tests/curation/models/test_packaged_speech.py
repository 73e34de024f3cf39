"""Recordings that packages carry, as they are described."""

import pytest
import soundfile

from curation.models.packaged_speech import BECKETT, DIALOGUE, TWO_CITIES, TWO_SPEAKERS
from curation.models.store import resolve


@pytest.mark.parametrize(
    ("reference", "seconds", "rate"),
    [(TWO_SPEAKERS, 30, 16_000), (TWO_CITIES, 44, 48_000), (BECKETT, 10, None), (DIALOGUE, None, 24_000)],
)
def test_each_is_there_as_described(reference, seconds, rate):
    found = soundfile.info(resolve(reference))
    assert found.duration == pytest.approx(seconds or found.duration, abs=1)
    assert found.samplerate == (rate or found.samplerate)
