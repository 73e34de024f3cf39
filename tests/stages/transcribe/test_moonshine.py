"""Moonshine straight from its graphs: what it reads from its files, and how it ends."""

import numpy as np
import pytest

from curation.models.store import resolve
from curation.stages.transcribe.moonshine import read_tokens
from tests.support.real_speech import librivox_as_read

WAVES = librivox_as_read()


def test_the_token_table_is_complete_and_holds_the_words_of_the_text(moonshine_stage):
    tokens = read_tokens(resolve("moonshine-tiny.en") / "tokenizer.bin")
    assert len(tokens) == 32768  # the vocabulary of Moonshine's paper
    assert "\u2581the".encode() in tokens
    assert moonshine_stage.systems[0].transcribe(WAVES[1:2], ["en"])[0].text.split()[0].lower() == "he"


@pytest.mark.parametrize("length", [1, 127, 128, 129, 255, 256, 300])
def test_entries_of_any_length_are_read(tmp_path, length):
    """One byte of length below 128; from there on the low seven bits come first, with the high bit set."""
    head = bytes([length]) if length < 128 else bytes([128 + length % 128, length // 128])
    (tmp_path / "tokenizer.bin").write_bytes(b"\x03one" + head + b"x" * length + b"\x02ab")
    assert read_tokens(tmp_path / "tokenizer.bin") == [b"one", b"x" * length, b"ab"]


def test_confidence_is_less_for_what_is_hard_to_hear(moonshine_stage):
    noise = np.random.default_rng(0).normal(0, 0.05, len(WAVES[1])).astype(np.float32)
    system = moonshine_stage.systems[0]
    clean, noisy = system.transcribe([WAVES[1], WAVES[1] * 0.2 + noise], ["en", "en"])
    assert clean.confidence > 0.7
    assert noisy.confidence < clean.confidence - 0.1
