"""Models with random weights hardly ever end an answer: here the limits are closer, since every token takes time."""

import pytest

from curation.train.infer import speech_model


@pytest.fixture(autouse=True)
def _close_limits(monkeypatch):
    monkeypatch.setattr(speech_model, "TOKENS_PER_SECOND", 20)
    monkeypatch.setattr(speech_model, "TEXT_PER_SECOND", 10)
