"""Cutting text, and joining its speech without clicks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.train.infer.long_text import (
    FADE_SAMPLES,
    MAX_CHARS,
    crossfade,
    join_streams,
    join_waves,
    size_of,
    split_audio,
    split_text,
    spoken_pieces,
)


@pytest.mark.parametrize(
    ("text", "size", "pieces"),
    [
        ("One. Two. Three.", 200, ["One. Two. Three."]),
        ("One two. Three four! Five six?", 12, ["One two.", "Three four!", "Five six?"]),
        ("Mr. Smith came, e.g. by train. He left.", 32, ["Mr. Smith came, e.g. by train.", "He left."]),
        ("A first clause, and a second one; a third", 20, ["A first clause,", "and a second one;", "a third"]),
        ("no marks at all in here", 10, ["no marks", "at all in", "here"]),
        ("今天天气很好。我们去公园。", 28, ["今天天气很好。", "我们去公园。"]),
        ("  \n ", 20, []),
        ("", 20, []),
        ("One paragraph\n\nAnother one", 20, ["One paragraph", "Another one"]),
        ("incomprehensible, is it", 10, ["incomprehe", "nsible,", "is it"]),
    ],
)
def test_text_is_cut_at_sentences_then_clauses_then_words_then_letters(text, size, pieces):
    assert split_text(text, size) == pieces


@given(st.text(alphabet="ab .,!?\n中。é-'", max_size=300), st.integers(1, 60))
def test_pieces_hold_the_whole_text_and_are_short(text, size):
    pieces = split_text(text, size)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    for piece in pieces:
        assert piece == piece.strip() != ""
        assert size_of(piece) <= size or len(piece) == 1


def test_long_audio_is_cut_where_it_is_quiet():
    """Pauses at 16 and 33 s; the last 5 s of each 20 are searched."""
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 47 * SAMPLE_RATE).astype(np.float32)
    for pause in (16, 33):
        wave[round((pause - 0.1) * SAMPLE_RATE) : round((pause + 0.1) * SAMPLE_RATE)] = 0
    pieces = split_audio(wave)
    assert [round(len(piece) / SAMPLE_RATE, 0) for piece in pieces] == [16, 17, 14]
    np.testing.assert_array_equal(np.concatenate(pieces), wave)


@pytest.mark.parametrize(
    ("samples", "pieces"), [(0, 0), (399, 0), (400, 1), (20 * SAMPLE_RATE, 1), (20 * SAMPLE_RATE + 400, 2)]
)
def test_audio_is_one_piece_up_to_20_seconds_and_none_without_a_token(samples, pieces):
    assert len(split_audio(np.full(samples, 0.1, np.float32))) == pieces


def tone(seconds, hertz, phase=0.0):
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time + phase)).astype(np.float32)


def test_a_join_is_no_click():
    # Butt-joined, these would jump from +0.5 to -0.5 from one sample to the next.
    first, second = tone(0.1, 100, np.pi / 2), tone(0.1, 130, -np.pi / 2)
    steepest = max(np.abs(np.diff(wave)).max() for wave in (first, second))
    assert np.abs(np.diff(np.concatenate([first, second]))).max() > 10 * steepest
    joined = join_waves([first, second])
    assert np.abs(np.diff(joined)).max() < 1.5 * steepest
    assert np.abs(joined).max() <= 0.5001
    assert len(joined) == len(first) + len(second) - FADE_SAMPLES


def test_what_is_the_same_on_both_sides_goes_through_unchanged():
    wave = tone(0.2, 90)
    cut = 1600
    np.testing.assert_allclose(crossfade(wave[: cut + FADE_SAMPLES], wave[cut:]), wave, atol=1e-6)


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=5), min_size=1, max_size=5),
    st.integers(0, 20),
)
def test_streams_join_to_the_same_as_whole_waves(sizes, fade):
    rng = np.random.default_rng(0)
    streams = [[rng.standard_normal(size).astype(np.float32) for size in row] for row in sizes]
    whole = join_waves([np.concatenate(chunks) for chunks in streams], fade)
    chunks = list(join_streams((iter(chunks) for chunks in streams), fade))
    joined = np.concatenate([*chunks, np.zeros(0, np.float32)])
    if min(sum(row) for row in sizes) >= 2 * fade:
        assert len(whole) == sum(map(sum, sizes)) - fade * (len(sizes) - 1)
    np.testing.assert_array_equal(joined, whole)


def test_pieces_are_as_long_as_they_are_said():
    text = "It cost $1,234,567. " + "In 1999, 25% of 3,450 km were gone by 5:30 pm, or so they said; " * 3
    pieces = spoken_pieces(text, "en")
    assert not any(letter.isdigit() for piece in pieces for letter in piece)
    assert max(map(size_of, pieces)) <= MAX_CHARS
    assert pieces[0].startswith("It cost one million two hundred")
    assert spoken_pieces("Am 3. Mai.", "de") == ["Am 3. Mai."]
