"""Sketches of sequences (codes, or words as numbers): MinHash values, of which similar ones have some in common.

A sequence is taken without immediate repetitions, so that slower speech has the same n-grams; a sketch has the least
hash of its n-grams for each of several hash functions. The share of equal values of two sketches estimates the Jaccard
similarity of their sets of n-grams (Broder 1997, "On the resemblance and containment of documents").
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def collapsed(codes: Codes) -> Codes:
    """Without immediate repetitions."""
    return codes[np.r_[True, codes[1:] != codes[:-1]]] if len(codes) else codes


def mixed(values: Hashes) -> Hashes:
    """A bijection of 64 bits that looks random (SplitMix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def shingles(sequences: Sequence[Codes], length: int) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """Hashes of the n-grams of `length` codes of all sequences, and where those of each begin.

    Of a shorter sequence there is one, of all it has. Immediate repetitions do not count. None may be empty.
    """
    rows = np.repeat(np.arange(len(sequences)), [len(codes) for codes in sequences])
    codes = np.concatenate(sequences)
    new = np.r_[True, (codes[1:] != codes[:-1]) | (rows[1:] != rows[:-1])]
    values, rows = codes[new].astype(np.uint64), rows[new]
    hashes, inside = np.zeros(len(values), np.uint64), np.ones(len(values), bool)
    for place in range(length):
        count = max(0, len(values) - place)
        inside[count:] = False
        inside[:count] &= rows[:count] == rows[place:]
        hashes[inside] = mixed((hashes[inside] + _GOLDEN) ^ np.roll(values, -place)[inside])
    first = np.r_[True, rows[1:] != rows[:-1]]
    known = inside | first
    return hashes[known], np.flatnonzero(first[known])


def sketches(sequences: Sequence[Codes], length: int, size: int) -> Hashes:
    """(sequences, size): the least hash of the n-grams of each, for `size` hash functions. None may be empty."""
    if not sequences:
        return np.zeros((0, size), np.uint64)
    grams, starts = shingles(sequences, length)
    factors = mixed(np.arange(1, size + 1).astype(np.uint64) * _GOLDEN) | np.uint64(1)
    return np.stack([np.minimum.reduceat(grams * factor, starts) for factor in factors], axis=1)
