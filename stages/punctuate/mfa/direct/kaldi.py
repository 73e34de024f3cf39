"""Reads Kaldi's binary files: numbers, vectors, matrices and tokens, one after the other.

Source: Kaldi, src/base/io-funcs-inl.h and src/matrix/kaldi-{vector,matrix}.cc. Numbers have their size in a byte before
them, negative for unsigned ones; tokens end with a space. Nothing in such a file is executed.
"""

import struct
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from curation.core.errors import ModelError

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
BINARY = b"\0B"
TYPES = {"FV": "<f4", "DV": "<f8", "FM": "<f4", "DM": "<f8"}
MAX_TOKEN = 64


class KaldiFile:
    """A position in the bytes of a file. All methods raise ModelError, with the file's name, where it is damaged."""

    def __init__(self, data: bytes, name: str) -> None:
        self.name, self._data, self._at = name, data, 0
        if not data.startswith(BINARY):
            self.fail("it is not in Kaldi's binary form")
        self._at = len(BINARY)

    def fail(self, why: str) -> NoReturn:
        """Raise the error for this file."""
        msg = f"{self.name} cannot be read: {why} (at byte {self._at} of {len(self._data)})"
        raise ModelError(msg)

    def token(self, *expected: str) -> str:
        """The next token; one of `expected` where some are given."""
        end = self._data.find(b" ", self._at, self._at + MAX_TOKEN)
        found = self._data[self._at : end].decode("ascii", "replace") if end >= 0 else ""
        if not found or (expected and found not in expected):
            self.fail(f"expected {' or '.join(expected) or 'a word'}, found {found!r}")
        self._at = end + 1
        return found

    def integer(self) -> int:
        """A signed or unsigned 32-bit integer."""
        size = self._take(1)
        if size not in {b"\x04", b"\xfc"}:
            self.fail(f"expected an integer of 4 bytes, found the size {size[0]}")
        return int(struct.unpack("<i" if size == b"\x04" else "<I", self._take(4))[0])

    def real(self) -> float:
        """A number in single or double precision."""
        size = self._take(1)
        if size not in {b"\x04", b"\x08"}:
            self.fail(f"expected a number of 4 or 8 bytes, found the size {size[0]}")
        return float(struct.unpack("<f" if size == b"\x04" else "<d", self._take(size[0]))[0])

    def integers(self) -> Ints:
        """A vector of 32-bit integers, shape (n,)."""
        if self._take(1) != b"\x04":
            self.fail("expected integers of 4 bytes")
        return self._array(np.dtype("<i4"), self._count()).astype(np.int32)

    def vector(self) -> Floats:
        """A vector, shape (n,)."""
        kind = self._kind("FV", "DV")
        return self._array(kind, self.integer()).astype(np.float32)

    def matrix(self) -> Floats:
        """A matrix, shape (rows, columns)."""
        kind = self._kind("FM", "DM")
        rows, columns = self.integer(), self.integer()
        if rows < 0 or columns < 0:
            self.fail("a matrix has a negative size")
        return self._array(kind, rows * columns).astype(np.float32).reshape(rows, columns)

    def _kind(self, *names: str) -> "np.dtype[Any]":
        return np.dtype(TYPES[self.token(*names)])

    def _count(self) -> int:
        return int(struct.unpack("<i", self._take(4))[0])

    def _array(self, kind: "np.dtype[Any]", count: int) -> npt.NDArray[Any]:
        if count < 0:
            self.fail("a vector has a negative size")
        return np.frombuffer(self._take(count * kind.itemsize), kind)

    def _take(self, size: int) -> bytes:
        part = self._data[self._at : self._at + size]
        if len(part) != size:
            self.fail("it ends too early")
        self._at += size
        return part
