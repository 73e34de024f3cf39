"""Tiers: named lists of rules, best first. A kept utterance is of the first tier all whose rules it meets.

    tiers = tiers_of({"gold": ["pwer <= 0.02", "seconds >= 1"], "silver": []}, ["pwer", "seconds"])
    tier_of(rows, tiers)               # gold, silver, …; null where it meets the rules of none

A rule is about a column of numbers of `segments`. What was not measured meets no rule.
"""

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import ConfigError
from curation.manifests.columns.maps import one_chunk

RULE = re.compile(r"\s*([A-Za-z_]\w*)\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


@dataclass(frozen=True)
class Tier:
    """A name, and rules: column, comparison and number of each."""

    name: str
    rules: Sequence[tuple[str, str, float]]

    @classmethod
    def parsed(cls, name: str, rules: Sequence[str]) -> Self:
        """Raises ConfigError for what is no name, or no rule."""
        where = f"publish.tiers.{name}"
        if not NAME.fullmatch(name):
            msg = f"{where}: {name!r} is no name of a tier: write small letters, digits, - and _"
            raise ConfigError(msg)
        found = [(text, RULE.fullmatch(text)) for text in rules]
        wrong = next((text for text, rule in found if rule is None), None)
        if wrong is not None:
            msg = f'{where}: {wrong!r} is no rule: write a column, <, <=, > or >=, and a number: "pwer <= 0.02"'
            raise ConfigError(msg)
        return cls(name, [(rule[1], rule[2], float(rule[3])) for _, rule in found if rule is not None])


def tiers_of(tiers: Mapping[str, Sequence[str]], columns: Collection[str]) -> list[Tier]:
    """The tiers of a configuration, whose rules are about `columns`. Raises ConfigError."""
    found = [Tier.parsed(name, rules) for name, rules in tiers.items()]
    for tier in found:
        for column, _, _ in tier.rules:
            if column not in columns:
                near = difflib.get_close_matches(column, columns, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                msg = (
                    f"publish.tiers.{tier.name}: segments have no column of numbers {column!r}{hint} "
                    "(`curation schema` lists them)"
                )
                raise ConfigError(msg)
    return found


def tier_of(columns: Mapping[str, pa.Array | pa.ChunkedArray], tiers: Sequence[Tier]) -> pa.Array:
    """The name of the tier of each row, from its columns, `status` among them; null where it is not kept."""
    rows = len(columns["status"])
    open_ = pc.equal(one_chunk(columns["status"]), "kept").to_numpy(zero_copy_only=False)
    found = np.full(rows, None, dtype=object)
    for tier in tiers:
        met = open_.copy()
        for column, compare, number in tier.rules:
            values = np.asarray(pc.fill_null(one_chunk(columns[column]), float("nan")), np.float64)
            met &= COMPARE[compare](values, number)
        found[met] = tier.name
        open_ &= ~met
    return pa.array(found, pa.string())
