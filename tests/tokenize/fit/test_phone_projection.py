"""Phones lie apart after the projection, whatever else varies more."""

from pathlib import Path

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.tokenize.compact.content import TOKEN_SAMPLES
from curation.tokenize.fit.phone_projection import SIZE, PhoneAligner, discriminant, fit_projection
from tests.support.real_speech import librivox

LIBRIVOX = Path(__file__).parents[2] / "data" / "librivox"


def test_the_direction_of_the_classes_is_kept_and_the_loudest_one_is_not():
    """Dimension 0 tells the classes apart but varies little; dimension 1 is a hundred times as loud noise."""
    random = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 300)
    points = random.standard_normal((600, 60)).astype(np.float32)
    points[:, 0] = 0.1 * points[:, 0] + 0.5 * (labels == "b")
    points[:, 1] *= 100
    projected = discriminant(points, labels)(points)
    assert projected.shape == (600, SIZE)
    centres = [projected[labels == label].mean(axis=0) for label in ("a", "b")]
    spread = np.concatenate(
        [projected[labels == label] - centre for label, centre in zip(("a", "b"), centres, strict=True)]
    ).std(axis=0)
    apart = np.abs(centres[0] - centres[1]) / spread.clip(1e-9)
    assert apart[0] > 3
    nearer_own = [np.linalg.norm(projected - centre, axis=1) for centre in centres]
    assert np.mean((nearer_own[1] < nearer_own[0]) == (labels == "b")) > 0.95


def test_phones_are_placed_in_the_tokens_where_they_sound():
    text = min(LIBRIVOX.glob("*.lab")).read_text().strip()
    wave = librivox()[0]
    count = -(-len(wave) // TOKEN_SAMPLES)
    labels = PhoneAligner()(wave, text, count)
    assert len(labels) == count
    assert labels[0] == labels[-1] == "SIL"
    spoken = [label for label in labels if label != "SIL"]
    assert 0.5 * count < len(spoken) < count
    assert len(set(spoken)) > 15


def test_what_cannot_be_aligned_is_left_out_and_nothing_left_is_an_error():
    aligner = PhoneAligner()
    assert aligner(librivox()[0], "xqzzt unknown", 10) == []
    assert aligner(librivox()[0], "", 10) == []
    with pytest.raises(DataError):
        fit_projection([(librivox()[0], "xqzzt")])
