"""Recordings that may not be in different splits: those of one speaker, of one file, and near duplicates.

    components = Components.of(plan, ("speaker", "recording", "duplicate"))
    components.oldest                  # (recordings,) for each, the place of the oldest one of its component

Everything is held as 64-bit digests: a recording takes about 100 bytes while they are joined, and no name is kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.core.counts import digest
from curation.manifests.columns.maps import one_chunk
from curation.manifests.duplicates.near import Groups
from curation.manifests.plan import Plan

Link = Literal["speaker", "recording", "duplicate"]
COLUMN_OF: dict[Link, str] = {"speaker": "speaker", "recording": "path"}
"""The column of a plan in which recordings with the same text belong together; an empty text joins nothing."""
NOTHING = 0
"""The digest of an empty text."""

Digests = npt.NDArray[np.uint64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Components:
    """The recordings of a plan: the oldest first, which are those of its first generation; then by id."""

    digests: Digests
    """Of their ids."""
    oldest: Places
    """For each, the place of the oldest recording of its component."""

    @classmethod
    def of(cls, plan: Plan, by: Sequence[Link]) -> Self:
        """Those of a plan, joined by what `by` names. Where generations say different things of a recording, the last
        one counts.
        """
        columns = [COLUMN_OF[link] for link in by if link in COLUMN_OF]
        found: list[list[Digests]] = [[] for _ in ("id", *columns)]
        for generation in plan.generations:
            for part in generation.parts:
                table = plan.read(part, ["id", *columns])
                for chunks, name in zip(found, ("id", *columns), strict=True):
                    chunks.append(digests_of(table[name]))
        every, *said = (np.concatenate([np.empty(0, np.uint64), *chunks]) for chunks in found)
        ids, first = np.unique(every, return_index=True)
        last = len(every) - 1 - np.unique(every[::-1], return_index=True)[1]
        order = np.argsort(first)
        alone = cls(ids[order], np.arange(len(ids)))
        links = [(alone.oldest, values[last[order]]) for values in said]
        groups = Groups.read(plan.out) if "duplicate" in by else None
        if groups is not None:
            place = alone.places_of(digests_of(groups.table["id"]))
            links.append((place[place >= 0], digests_of(groups.table["group"])[place >= 0]))
        return cls(alone.digests, joined(len(ids), links))

    @cached_property
    def _order(self) -> Places:
        """Sorts the digests: once for all parts of a ledger that are looked up."""
        return np.argsort(self.digests)

    def places_of(self, digests: Digests) -> Places:
        """Where these recordings are; -1 for one that the plan does not have."""
        order = self._order
        place = np.minimum(np.searchsorted(self.digests, digests, sorter=order), max(len(order) - 1, 0))
        found = order[place] if len(order) else np.full(len(digests), -1)
        same = self.digests[found] == digests if len(order) else np.zeros(len(digests), bool)
        return np.where(same, found, -1)


def digests_of(texts: pa.Array | pa.ChunkedArray) -> Digests:
    """The digest of each text; `NOTHING` where it is null or empty. Equal texts are hashed once."""
    encoded = one_chunk(texts).cast(pa.string()).dictionary_encode()
    distinct = [digest(text) if text else NOTHING for text in encoded.dictionary.to_pylist()]
    known = np.array([*distinct, NOTHING], np.uint64)
    place = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    return np.asarray(known[place], np.uint64)


def joined(count: int, links: Iterable[tuple[Places, Digests]]) -> Places:
    """The first of the items that each of `count` items is joined with, over any number of steps.

    `links` are pairs of arrays, items and digests: two items with the same digest in a link are joined by it; an item
    may have several, or none. Labels spread over every link and then jump to the label of their label, which ends
    after about log(count) rounds.
    """
    numbered: list[tuple[Places, Places, int]] = []
    for items, digests in links:
        there = digests != NOTHING
        keys, number = np.unique(digests[there], return_inverse=True)
        numbered.append((items[there], number, len(keys)))
    label = np.arange(count)
    while True:
        before = label.copy()
        for items, number, distinct in numbered:
            lowest = np.full(distinct, count)
            np.minimum.at(lowest, number, label[items])
            np.minimum.at(label, label[items], lowest[number])
            np.minimum.at(label, items, lowest[number])
        label = label[label]
        if np.array_equal(label, before):
            return label
