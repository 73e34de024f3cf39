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


def shingles(codes: Codes, length: int) -> Hashes:
    """Hashes of the n-grams of `length` codes; of a shorter sequence, one of all it has."""
    length = min(length, len(codes))
    hashes = np.zeros(len(codes) - length + 1, np.uint64)
    for place in range(length):
        hashes = mixed((hashes + _GOLDEN) ^ codes[place : len(codes) - length + 1 + place].astype(np.uint64))
    return hashes


def sketches(sequences: Sequence[Codes], length: int, size: int) -> Hashes:
    """(sequences, size): the least hash of the n-grams of each, for `size` hash functions. None may be empty."""
    if not sequences:
        return np.zeros((0, size), np.uint64)
    grams = [shingles(collapsed(codes), length) for codes in sequences]
    starts = np.r_[0, np.cumsum([len(found) for found in grams])[:-1]]
    every = np.concatenate(grams)
    columns = [np.minimum.reduceat(mixed(every + mixed(_seed(number))), starts) for number in range(size)]
    return np.stack(columns, axis=1)


def _seed(number: int) -> Hashes:
    return np.array([number + 1], np.uint64) * _GOLDEN
