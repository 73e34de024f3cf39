"""Which speakers of different recordings are one voice, by their stored embeddings.

Speakers come in blocks of whole recordings. Those of a block are clustered by average linkage of the cosine distance;
each cluster then joins the nearest voice that is known already, or becomes a new one. So distances between all
speakers of a corpus are never needed at once, and who has a voice keeps it: what is appended can join a voice, and
joins no two of them. Two speakers of one recording are never one voice. Names of the manifest are trusted: one name is
one voice, and two names are two.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curation.manifests.speakers import Embedding, unit

THRESHOLD = 0.5
"""Cosine distance below which two are one voice (docs/results/2026-11-27-voices.md)."""
APART = 1e12
"""A distance whose mean with others stays above every threshold, however many pairs two groups of a block have."""
TILE = 8192
"""Voices that are compared at once."""
Sums = npt.NDArray[np.float64]
"""Sums of seconds x embedding, (…, dimension)."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody in a recording."""

    recording: str
    label: str
    """As the shards name them."""
    name: str
    """In the manifest; empty: unnamed."""
    embedding: Sums
    """(dimension,); zeros: unknown."""

    @property
    def key(self) -> tuple[str, str]:
        """What the speaker is known by."""
        return self.recording, self.label


@dataclass
class Voices:
    """The voices of a corpus so far: each has a number, from 1, which is not given twice."""

    count: int = 0
    """All that ever were."""
    _numbers: list[int] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _sums: Sums = field(default_factory=lambda: np.zeros((0, 1)))
    _places: dict[int, int] = field(default_factory=dict)
    _named: dict[str, int] = field(default_factory=dict)

    def add(self, speaker: Speaker, number: int) -> None:
        """Note that a speaker has a voice."""
        place = self._places.setdefault(number, len(self._numbers))
        if place == len(self._numbers):
            self._numbers.append(number)
            self._names.append("")
            self.count = max(self.count, number)
        if place >= len(self._sums):
            rows = self._sums if len(self._sums) else np.zeros((64, len(speaker.embedding)))
            self._sums = np.concatenate([rows, np.zeros_like(rows)])
        self._sums[place] += speaker.embedding
        if speaker.name:
            self._names[place] = speaker.name
            self._named[speaker.name] = number

    def assign(
        self, block: Iterable[Speaker], threshold: float = THRESHOLD, taken: Mapping[str, Collection[int]] = {}
    ) -> dict[tuple[str, str], int]:
        """The number of the voice of each speaker of a block, in whatever order they come.

        `taken` are the voices that other speakers of a recording have already, by recording.
        """
        used = defaultdict(set, {recording: set(numbers) for recording, numbers in taken.items()})
        groups = grouped(sorted(block, key=lambda speaker: speaker.key), threshold)
        nearest = self._nearest(groups)
        found: dict[tuple[str, str], int] = {}
        for place in sorted(range(len(groups)), key=lambda place: nearest[place]):
            group, (distance, number) = groups[place], nearest[place]
            names = {self._name(number), name_of(group)} - {""}
            if distance >= threshold or len(names) > 1 or any(number in used[one.recording] for one in group):
                number = self.count + 1
            for one in group:
                self.add(one, number)
                used[one.recording].add(number)
                found[one.key] = number
        return found

    def _name(self, number: int) -> str:
        return self._names[self._places[number]] if number in self._places else ""

    def _nearest(self, groups: Sequence[Sequence[Speaker]]) -> list[tuple[float, int]]:
        """Distance and number of the voice that each group may join: that of its name, else the nearest."""
        if not groups:
            return []
        centroids = np.stack([centroid_of(group) for group in groups])
        best, at = np.full(len(groups), np.inf), np.zeros(len(groups), np.int64)
        for start in range(0, len(self._numbers), TILE):
            sums = self._sums[start : min(start + TILE, len(self._numbers))]
            lengths = np.linalg.norm(sums, axis=1, keepdims=True)
            table = 1 - centroids @ (sums / np.where(lengths > 0, lengths, np.inf)).T
            place = table.argmin(axis=1)
            found = table[np.arange(len(groups)), place]
            at = np.where(found < best, np.array(self._numbers)[start + place], at)
            best = np.minimum(best, found)
        best[~centroids.any(axis=1)] = np.inf
        named = [self._named.get(name_of(group)) for group in groups]
        return [
            (d, n) if known is None else (-1.0, known) for d, n, known in zip(best, at.tolist(), named, strict=True)
        ]


def grouped(speakers: Sequence[Speaker], threshold: float) -> list[list[Speaker]]:
    """Speakers that are one voice, each group in their order, the groups by their first."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    units: dict[object, list[Speaker]] = defaultdict(list)
    for speaker in speakers:
        units[speaker.name or speaker.key].append(speaker)
    members = [*units.values()]
    if len(members) < 2:
        return members
    table = distances(members)
    labels = fcluster(linkage(squareform(table, checks=False), "average"), np.nextafter(threshold, -1), "distance")
    groups: dict[int, list[Speaker]] = defaultdict(list)
    for unit_, label in zip(members, labels.tolist(), strict=True):
        groups[label] += unit_
    return [*groups.values()]


def distances(members: Sequence[Sequence[Speaker]]) -> Sums:
    """Cosine distances (n, n) of groups, `APART` where they are not one voice for certain, 0 on the diagonal."""
    centroids = np.stack([centroid_of(group) for group in members])
    table = np.maximum(1 - centroids @ centroids.T, 0)
    unknown = ~centroids.any(axis=1)
    named = np.array([bool(name_of(group)) for group in members])
    table[np.logical_or.outer(unknown, unknown) | np.logical_and.outer(named, named)] = APART
    together: dict[str, set[int]] = defaultdict(set)
    for place, group in enumerate(members):
        for speaker in group:
            together[speaker.recording].add(place)
    for places in together.values():
        table[np.ix_([*places], [*places])] = APART
    np.fill_diagonal(table, 0)
    return table


def centroid_of(group: Sequence[Speaker]) -> Sums:
    """Their centroid, of unit norm; zeros where none is known."""
    centroid: Embedding = unit(np.sum([speaker.embedding for speaker in group], axis=0, dtype=np.float64))
    return centroid.astype(np.float64)


def name_of(group: Sequence[Speaker]) -> str:
    """The name that one of them has, if any: a group has no two."""
    return next((speaker.name for speaker in group if speaker.name), "")
