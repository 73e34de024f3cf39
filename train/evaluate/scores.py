"""Error rates by jiwer, after normalisation by language, with bootstrap confidence intervals.

A rate is that of the whole set: edits of all utterances / words (or characters) of all references. The interval is the
percentile bootstrap over utterances (Bisani and Ney 2004): the sampling of test utterances is the source of variance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jiwer
import numpy as np
import numpy.typing as npt

from curation.text.normalize import Normalizer, by_piece, clean_unicode, normalizer_for

Normalization = Literal["auto", "unicode", "none"]
RESAMPLES = 1000
LEVEL = 0.95
SEED = 20_260_110
AT_ONCE = 100_000
"""Utterances that are drawn in one step."""


@dataclass(frozen=True, slots=True)
class Edits:
    """Edits that turn a reference of `length` units into the hypothesis."""

    substitutions: int
    deletions: int
    insertions: int
    length: int

    @property
    def total(self) -> int:
        """All edits."""
        return self.substitutions + self.deletions + self.insertions


@dataclass(frozen=True, slots=True)
class Comparison:
    """A hypothesis against its reference: both normalised, and edits of words and characters.

    `words` is None for languages that are written without spaces. Characters of languages with spaces include them.
    """

    reference: str
    hypothesis: str
    words: Edits | None
    characters: Edits


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def normalizer_of(language: str, choice: Normalization) -> Normalizer:
    """The normaliser for a language: the pipeline's own (`auto`), its Unicode rules for all, or none at all."""
    own = normalizer_for(language)
    if choice == "auto":
        return own
    clean: Callable[[str], str] = clean_unicode if choice == "unicode" else str
    return by_piece(choice, own.unit, clean)


def compare(reference: str, hypothesis: str, normalizer: Normalizer) -> Comparison:
    """Normalise and count."""
    join = " " if normalizer.unit == "word" else ""
    said, heard = (join.join(normalizer.units(text)) for text in (reference, hypothesis))
    words = edits(said, heard, jiwer.process_words, len(said.split()), len(heard.split()))
    characters = edits(said, heard, jiwer.process_characters, len(said), len(heard))
    return Comparison(said, heard, words if normalizer.unit == "word" else None, characters)


def edits(reference: str, hypothesis: str, process: Callable[..., object], length: int, other: int) -> Edits:
    """Counts of jiwer. Where a side is empty, jiwer is not asked: all is inserted, or all is deleted.

    `length` and `other` are the units of reference and hypothesis.
    """
    if length == 0 or other == 0:
        return Edits(0, length, other, length)
    found: Any = process(reference, hypothesis)
    return Edits(found.substitutions, found.deletions, found.insertions, length)


def rate(counts: Sequence[Edits]) -> Estimate | None:
    """Edits per unit of reference; None where the references are empty."""
    errors = np.array([one.total for one in counts], dtype=np.float64)
    lengths = np.array([one.length for one in counts], dtype=np.float64)
    if lengths.sum() == 0:
        return None
    return _estimate(partial(_ratio, errors, lengths), len(counts))


def mean(values: Sequence[float]) -> Estimate | None:
    """Mean of the finite values; None where there are none."""
    known = np.array([value for value in values if np.isfinite(value)], dtype=np.float64)
    return _estimate(partial(_ratio, known, np.ones(len(known))), len(known)) if len(known) else None


def _estimate(figure: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float64]], count: int) -> Estimate:
    """`figure` takes rows of indices, (resamples, count), and gives one number for each."""
    generator = np.random.default_rng(SEED)
    # Not all resamples at once: a thousand copies of a large set would not fit into memory.
    step = max(1, AT_ONCE // count)
    sizes = [min(step, RESAMPLES - start) for start in range(0, RESAMPLES, step)]
    drawn = np.concatenate([figure(generator.integers(0, count, (size, count))) for size in sizes])
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(figure(np.arange(count)[None])[0]), float(low), float(high))


def _ratio(
    over: npt.NDArray[np.float64], under: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """(resamples,); NaN for one of empty references only, which has no rate, whatever is inserted."""
    lengths = under[rows].sum(axis=1)
    quotient: npt.NDArray[np.float64] = over[rows].sum(axis=1) / np.where(lengths > 0, lengths, np.nan)
    return quotient
