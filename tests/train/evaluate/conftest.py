"""Items that are evaluated quickly."""

import numpy as np
import pytest
import soundfile

from curation.train.evaluate.sets import Item


@pytest.fixture
def clips(tmp_path):
    """Four items in two languages by two speakers; recordings are noise of 0.2 s."""
    items = []
    for number, (language, text) in enumerate(
        [("en", "one two three"), ("en", "go home"), ("de", "ja"), ("zh", "你好")]
    ):
        path = tmp_path / f"{number}.wav"
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 3200)
        soundfile.write(path, noise, 16000)
        items.append(Item(f"u{number}", text, language, str(path), f"S{number % 2}", extra={"room": "AB"[number // 2]}))
    return items
