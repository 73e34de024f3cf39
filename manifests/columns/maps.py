"""Columns of maps, such as scores by name, taken apart at once: as plain columns, and as lists of (name, value).

entries = Entries.of(table["scores"])
entries.columns(["pwer"])           # (1, rows): NaN where a row has no such score
entries.lists(["pwer"])             # all others, sorted by name
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True)
class Entries:
    """The entries of a column of maps: of each its row, its name and its value."""

    rows: int
    row: npt.NDArray[np.int64]
    code: npt.NDArray[np.int64]
    """Index of the name in `names`."""
    names: list[str]
    values: pa.Array

    @classmethod
    def of(cls, maps: pa.MapArray | pa.ChunkedArray) -> Self:
        """Take a column apart; a null has no entries."""
        whole = one_chunk(maps)
        if not len(whole):
            return cls(0, np.zeros(0, np.int64), np.zeros(0, np.int64), [], pa.array([], whole.type.item_type))
        offsets = whole.offsets.to_numpy()
        row = np.repeat(np.arange(len(whole)), np.diff(offsets))
        keys, items = (child.slice(offsets[0], offsets[-1] - offsets[0]) for child in (whole.keys, whole.items))
        encoded = keys.dictionary_encode()
        there = ~whole.is_null().to_numpy(zero_copy_only=False)[row]
        code = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(len(whole), row[there], code[there], encoded.dictionary.to_pylist(), items.filter(pa.array(there)))

    def over(self, other: "Entries") -> "Entries":
        """The entries of both, of which these count where a row has a name twice. Both have the same rows."""
        names = list(dict.fromkeys([*other.names, *self.names]))
        place = {name: number for number, name in enumerate(names)}
        codes = [np.array([place[name] for name in part.names], np.int64)[part.code] for part in (other, self)]
        row, code = np.r_[other.row, self.row], np.concatenate(codes)
        # The last of equal ones: those of `self` come after those of `other`.
        _, reverse = np.unique((row * max(len(names), 1) + code)[::-1], return_index=True)
        chosen = len(row) - 1 - reverse
        values = pa.concat_arrays([other.values, self.values]).take(pa.array(chosen))
        return Entries(self.rows, row[chosen], code[chosen], names, values)

    def under(self, parents: npt.NDArray[np.int64], rows: int) -> "Entries":
        """The entries as those of `rows` other rows, of which `parents` says which one each row belongs to."""
        return Entries(rows, parents[self.row].astype(np.int64), self.code, self.names, self.values)

    def columns(self, names: Sequence[str]) -> npt.NDArray[np.float64]:
        """The numbers of these names, (names, rows); NaN where there is none, the highest where there are several."""
        found = np.full((len(names), self.rows), np.nan)
        place = {name: number for number, name in enumerate(names)}
        column = np.array([place.get(name, -1) for name in self.names], np.int64)[self.code]
        mine = column >= 0
        values = self.values.to_numpy(zero_copy_only=False)
        np.fmax.at(found, (column[mine], self.row[mine]), values[mine])
        return found

    def lists(self, without: Sequence[str] = ()) -> pa.ListArray:
        """The entries, without those of some names, as a list of {name, value} for each row, sorted by name."""
        rank = np.argsort(np.argsort(np.array(self.names, dtype=str), kind="stable"))[self.code]
        order = np.lexsort((rank, self.row))
        others = np.array([name not in set(without) for name in self.names], bool)[self.code[order]]
        order = order[others]
        offsets = np.r_[0, np.cumsum(np.bincount(self.row[order], minlength=self.rows))].astype(np.int32)
        name = pa.array(self.names, pa.string()).take(pa.array(self.code[order]))
        values = [name, self.values.take(pa.array(order))]
        return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(values, names=["name", "value"]))


def one_chunk(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array


def with_value(maps: pa.MapArray | pa.ChunkedArray, name: str, values: pa.Array | pa.ChunkedArray) -> pa.MapArray:
    """A column of maps with another value of one name, where that is not null."""
    whole, new = one_chunk(maps), one_chunk(values)
    if new.null_count == len(new):
        return whole
    row = np.flatnonzero(new.is_valid().to_numpy(zero_copy_only=False))
    entries = Entries(len(new), row, np.zeros(len(row), np.int64), [name], new.take(pa.array(row)))
    lists = entries.over(Entries.of(whole)).lists()
    return pa.MapArray.from_arrays(lists.offsets, *lists.values.flatten()).cast(whole.type)


def nulls_for(values: npt.NDArray[np.float64]) -> pa.Array:
    """Numbers with null in place of NaN: what was not measured."""
    return pc.if_else(pa.array(np.isnan(values)), pa.scalar(None, pa.float64()), pa.array(values))


def or_null(texts: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The texts as one chunk, null where they are empty."""
    whole = one_chunk(texts)
    return pc.if_else(pc.equal(whole, ""), pa.scalar(None, pa.string()), whole)
