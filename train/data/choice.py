"""Which utterances of a corpus are used, and how often: its split, its tiers, and weights by language or tier.

    choice = Choice.of(corpus, DataConfig(split="train", tiers=["gold"], temperature=3))
    choice.slices                        # of the shards that have any of them
    table, rates = choice.take(rows)     # the chosen rows, and how many times as often each is used

All of it follows from the index and the settings, so that the order of samples does too. The rate of a language of h
hours is proportional to h^(1/T) / h, and such that an epoch is as long as without: with T = 1 every utterance is used
as it is, with a large T each language (or tier) is as much of an epoch as any other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import DataError
from curation.manifests.index import Portion
from curation.train.data.config import DataConfig
from curation.train.data.corpus import Corpus, Slice


@dataclass(frozen=True)
class Choice:
    """What is used of a corpus."""

    corpus: Corpus
    split: str = ""
    """Empty: all of them."""
    tiers: Sequence[str] = ()
    """Empty: all utterances, of no tier too."""
    weighted: str = ""
    """The column whose values have rates; empty: none has."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """By the value of that column; empty text for null."""

    @classmethod
    def of(cls, corpus: Corpus, config: DataConfig) -> Self:
        """What settings choose. Raises DataError where the corpus has no such split or tier, or nothing of them."""
        split = _split(corpus, config)
        unknown = sorted({*config.tiers} - {*corpus.index.tiers})
        if unknown:
            known = ", ".join(corpus.index.tiers) or "none: publish it with publish.tiers"
            msg = f"data.tiers: {corpus.where} has no tier {unknown[0]!r}; it has {known}"
            raise DataError(msg)
        chosen = cls(corpus, split, tuple(config.tiers))
        portions = [portion for portion in corpus.index.portions if chosen.takes(portion)]
        if chosen.columns and not portions:
            what = " and ".join(filter(None, (f"split {split}" if split else "", ", ".join(config.tiers))))
            msg = f"{corpus.where}: no utterances of {what}: choose others with data.split and data.tiers"
            raise DataError(msg)
        if config.temperature == 1:
            return chosen
        if not portions:
            msg = f"data.temperature: {corpus.where} does not say how many hours it has of what: publish it again"
            raise DataError(msg)
        rates = _rates(portions, config.balance, config.temperature)
        return cls(corpus, split, tuple(config.tiers), config.balance, rates)

    @property
    def columns(self) -> list[str]:
        """That are read to choose rows."""
        return [*(["split"] if self.split else []), *(["tier"] if self.tiers or self.weighted == "tier" else [])]

    @property
    def identity(self) -> dict[str, Any]:
        """What it says of the order of samples; nothing where every utterance is used as it is."""
        found = {"split": self.split, "tiers": list(self.tiers), "rates": {self.weighted: dict(self.rates)}}
        return {name: value for name, value in found.items() if value and value != {"": {}}}

    @cached_property
    def slices(self) -> list[Slice]:
        """Of the shards that have any of it; which rows, their own columns say."""
        if not self.columns:
            return self.corpus.slices
        mine = {entry.file for entry in self.corpus.index.shards if any(map(self.takes, entry.portions))}
        return [one for one in self.corpus.slices if one.file in mine]

    def takes(self, portion: Portion) -> bool:
        """Whether it has these utterances."""
        return (not self.split or portion.split == self.split) and (not self.tiers or portion.tier in self.tiers)

    def take(self, rows: pa.Table) -> tuple[pa.Table, npt.NDArray[np.float64] | None]:
        """The rows that it has, and the rate of each; None: all are used as they are."""
        if self.split:
            rows = rows.filter(pc.equal(rows["split"], self.split))
        if self.tiers:
            rows = rows.filter(pc.is_in(rows["tier"], value_set=pa.array(self.tiers, pa.string())))
        if not self.weighted:
            return rows, None
        values = pc.fill_null(rows[self.weighted], "").to_pylist()
        return rows, np.array([self.rates.get(value, 1.0) for value in values], np.float64)


def _split(corpus: Corpus, config: DataConfig) -> str:
    if corpus.index.split is not None:
        return "" if config.split == "all" else config.split
    if config.split in {"train", "all"}:
        return ""
    msg = f"data.split: {corpus.where} has no splits: `curation split` makes them"
    raise DataError(msg)


def _rates(portions: Sequence[Portion], column: str, temperature: float) -> dict[str, float]:
    """How many times as often utterances of each value are used, so that the hours of an epoch stay the same."""
    seconds: dict[str, float] = {}
    for portion in portions:
        value = getattr(portion, column)
        seconds[value] = seconds.get(value, 0.0) + portion.seconds
    most = max(seconds.values())  # what is small beside it may come to nothing; without it powers would overflow
    flat = {value: (length / most) ** (1 / temperature) for value, length in seconds.items() if length > 0}
    scale = sum(seconds.values()) / sum(flat.values())
    return {value: scale * share / seconds[value] for value, share in sorted(flat.items())}
