"""Kaldi's binary numbers, vectors and matrices, and what is said where they are none."""

import struct

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile
from tests.support.checkpoints.tiny_mfa import integers, matrix, number, real, token, unsigned, vector


def file(*parts):
    return KaldiFile(b"\0B" + b"".join(parts), "file.mdl")


def test_what_is_written_is_read():
    read = file(
        token("<A>"),
        number(-7),
        unsigned(2**32 - 1),
        real(0.5),
        integers([1, -2]),
        vector([1.5, 2]),
        matrix(np.zeros((0, 3))),
        token("<B>"),
    )
    assert (read.token("<A>", "<Z>"), read.integer(), read.integer(), read.real()) == ("<A>", -7, 2**32 - 1, 0.5)
    assert read.integers().tolist() == [1, -2]
    assert read.vector().tolist() == [1.5, 2]
    assert read.matrix().shape == (0, 3)
    assert read.token() == "<B>"


def test_double_precision():
    doubles = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    read = file(
        b"\x08" + struct.pack("<d", 0.1),
        token("DV") + number(3) + doubles[0].tobytes(),
        token("DM") + number(2, 3) + doubles.tobytes(),
        matrix(doubles),
    )
    assert read.real() == 0.1
    assert read.vector().tolist() == [1, 2, 3]
    first, second = read.matrix(), read.matrix()
    assert first.dtype == second.dtype == np.float32
    assert (first == second).all()
    assert first.shape == (2, 3)


@pytest.mark.parametrize(
    ("read", "content", "message"),
    [
        ("token", b"<Endless" * 20, "expected a word"),
        ("token", b"", "expected a word"),
        ("integer", b"\x08" + bytes(8), "expected an integer of 4 bytes, found the size 8"),
        ("integer", b"\x04\0", "it ends too early"),
        ("real", b"\x02\0\0", "expected a number of 4 or 8 bytes"),
        ("integers", b"\x01\0\0\0\0", "expected integers of 4 bytes"),
        ("integers", b"\x04" + struct.pack("<i", -1), "negative size"),
        ("vector", token("FV") + number(10**9), "it ends too early"),
        ("vector", token("CV") + number(1), "expected FV or DV, found 'CV'"),
        ("matrix", token("FM") + number(-1, -1), "negative size"),
        ("matrix", token("FM") + number(2**20, 2**20), "it ends too early"),
    ],
)
def test_damage_is_named(read, content, message):
    with pytest.raises(
        ModelError, match=rf"file\.mdl cannot be read: .*{message}.* \(at byte \d+ of {len(content) + 2}\)"
    ):
        getattr(file(content), read)()


def test_the_text_form_is_refused():
    with pytest.raises(ModelError, match="not in Kaldi's binary form"):
        KaldiFile(b"<TransitionModel> ", "file.mdl")
