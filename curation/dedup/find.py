"""Finds the near duplicates of a corpus, and writes them down: `duplicates/groups.parquet` and `report.json`.

    report = find("corpus", Limits())

Candidates have codes or words in common (`search`). Two are near duplicates where their voices and texts are alike, as
the limits say, and either their codes or the times of their words; a group is all that hang together. No model runs.
"""

import itertools
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.core.errors import ConfigError
from curation.core.parquet import damage_named
from curation.core.storage import Storage
from curation.dedup.likeness import Likeness, likeness
from curation.dedup.search import Search, Sketching
from curation.dedup.words import numbers_and_times
from curation.manifests import index, shards
from curation.manifests.columns.maps import one_chunk
from curation.manifests.duplicates.near import LIKENESS, REPORT, SCHEMA, Groups
from curation.manifests.index import ShardIndex, finished_index
from curation.pipeline.guard.lock import held

EXAMPLES = 20
"""Groups of a report: those with the most seconds that do not count."""
SHOWN = 4
"""Utterances of each."""
EXAMPLE_COLUMNS = ("id", "utterance", "seconds", *LIKENESS, "text")
SHARD_COLUMNS = {
    "id": "recording_id",
    "utterance": "id",
    "seconds": "seconds",
    "codes": "glm",
    "voice": "speaker_embedding",
    "text": "text",
}
"""By the names that `search` has for them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on two utterances are near duplicates."""

    codes: float = 0.55
    """Of `Likeness.codes`, or else ..."""
    rhythm_ms: float = 20.0
    """... of `Likeness.rhythm_ms` at most, at speeds ..."""
    speed: float = 0.15
    """... so near to each other."""
    voice: float = 0.5
    words: float = 0.6
    seconds: float = 0.5

    def met_by(self, found: Likeness) -> bool:
        """Whether they are; a voice or a text that cannot be compared is no obstacle."""
        return (
            (found.codes >= self.codes or self._rhythm_met_by(found))
            and found.seconds >= self.seconds
            and (found.voice is None or found.voice >= self.voice)
            and (found.words is None or found.words >= self.words)
        )

    def _rhythm_met_by(self, found: Likeness) -> bool:
        if found.rhythm_ms is None or found.speed is None:
            return False
        return found.rhythm_ms <= self.rhythm_ms and max(found.speed, 1 / found.speed) <= 1 + self.speed


@dataclass(frozen=True, slots=True)
class Report:
    """What was found."""

    edition: int
    """Of the corpus."""
    utterances: int
    compared: int
    """Pairs."""
    pairs: int
    """That are near duplicates."""
    groups: int
    others: int
    """Utterances but the first of each group."""
    seconds: float
    """Of them."""
    limits: dict[str, float]
    examples: list[dict[str, Any]] = field(default_factory=list)


def find(
    root: str,
    limits: Limits = Limits(),
    sketching: Sketching = Sketching(),  # noqa: B008 - frozen
    *,
    wait_seconds: float = 0.0,
    force_unlock: bool = False,
) -> Report:
    """Compare the utterances of a corpus, and write what was found. Raises ConfigError where it has no tokens.

    Nothing is published or removed meanwhile: what a removal takes out would be written down again.
    """
    out = Storage(root)
    finished_index(out)  # before the lock, which would make a folder
    with held(out, uuid.uuid4().hex, wait_seconds=wait_seconds, force=force_unlock) as lock:
        corpus = finished_index(out)
        groups, report = _compared(out, corpus, limits, sketching)
        lock.fence()
        groups.write(out)
        out.write_json(REPORT, asdict(report))
    return report


def _compared(out: Storage, corpus: ShardIndex, limits: Limits, sketching: Sketching) -> tuple[Groups, Report]:
    if corpus.tokenizers is None:
        msg = f"{out.root} was published without tokens, which are compared: publish it with `tokenize`"
        raise ConfigError(msg)
    with Search(sketching) as search:
        for rows in _utterances(out, corpus):
            search.add(rows)
        compared, alike = 0, Alike()
        for one, two in search.pairs(limits.voice):
            compared += 1
            found = likeness(one, two)
            if limits.met_by(found):
                alike.add(one.place, two.place, found)
        known = Groups.read(out)
        rejected = _add_rejected(search, alike, known) if known else {}
        there = {row["place"]: row for row in search.named("place", alike.best.keys() - rejected.keys())}
    rows = _in_groups({**there, **rejected}, alike)
    groups = Groups(pa.Table.from_pylist(rows, schema=SCHEMA), corpus.planned)
    return groups, _report(corpus, compared, alike, rows, limits)


def _utterances(out: Storage, corpus: ShardIndex) -> Iterator[pa.Table]:
    """What is compared of all utterances with codes, a row group at a time."""
    for entry in corpus.shards:
        name = f"{shards.FOLDER}/{entry.file}"
        with damage_named(f"{out.root}/{name}", index.REMEDY), out.open_table(name) as file:
            for number in range(file.num_row_groups):
                rows = file.read_row_group(number, columns=[*SHARD_COLUMNS.values(), "words"])
                rows = rows.filter(pc.greater(pc.list_value_length(rows["glm"]), 0))
                numbers, times = numbers_and_times(one_chunk(rows["words"]))
                columns = {name: rows[column] for name, column in SHARD_COLUMNS.items()}
                yield pa.table({**columns, "words": numbers, "times": times})


class Alike:
    """Utterances that are alike, by their places, and how they hang together."""

    def __init__(self) -> None:
        self.pairs = 0
        self.best: dict[int, Likeness] = {}
        """To the most similar one."""
        self._parent: dict[int, int] = {}

    def add(self, one: int, two: int, found: Likeness) -> None:
        """Add a pair."""
        self.pairs += 1
        for place in (one, two):
            self.best[place] = max(found, self.best.get(place, found), key=lambda item: item.codes)
        low, high = sorted((self.first(one), self.first(two)))
        self._parent[high] = low

    def first(self, place: int) -> int:
        """The first one of those that hang together with an utterance."""
        path = [place]
        while (parent := self._parent.get(path[-1], path[-1])) != path[-1]:
            path.append(parent)
        self._parent |= dict.fromkeys(path[:-1], path[-1])
        return path[-1]


def _add_rejected(search: Search, alike: Alike, known: Groups) -> dict[int, dict[str, Any]]:
    """Those of an earlier search that are in no shard any more stay in their group, as long as another one of it is
    there: the publish pass left them out for that. Returns their rows by places behind all others.
    """
    rows = known.table.to_pylist()
    there = search.named("utterance", known.table["utterance"].to_pylist())
    places = {row["utterance"]: row["place"] for row in there}
    first: dict[int, int] = {}
    for row in rows:
        if row["utterance"] in places:
            first.setdefault(row["group"], places[row["utterance"]])
    gone = [row for row in rows if row["utterance"] not in places and row["group"] in first]
    found = {search.count + number: row for number, row in enumerate(gone)}
    for place, row in found.items():
        alike.add(first[row["group"]], place, Likeness(seconds=1.0, **{name: row[name] for name in LIKENESS}))
    return found


def _in_groups(rows: Mapping[int, Mapping[str, Any]], alike: Alike) -> list[dict[str, Any]]:
    """Rows of `near.SCHEMA`, and their texts: in the order of the first of each group, then of the corpus."""
    order = sorted((alike.first(place), place) for place in rows)
    numbers = {first: number for number, first in enumerate(dict.fromkeys(first for first, _ in order))}
    found = []
    for first, place in order:
        row, how = rows[place], alike.best[place]
        likest = {name: getattr(how, name) for name in LIKENESS}
        found.append({"text": "", **row, **likest, "group": numbers[first]})
    return found


def _report(
    corpus: ShardIndex, compared: int, alike: Alike, rows: Sequence[Mapping[str, Any]], limits: Limits
) -> Report:
    groups = [[*found] for _, found in itertools.groupby(rows, key=lambda row: row["group"])]
    others = [sum(row["seconds"] for row in group[1:]) for group in groups]
    longest = sorted(range(len(groups)), key=lambda number: (-others[number], number))[:EXAMPLES]
    return Report(
        edition=corpus.edition,
        utterances=corpus.rows,
        compared=compared,
        pairs=alike.pairs,
        groups=len(groups),
        others=len(rows) - len(groups),
        seconds=sum(others),
        limits=asdict(limits),
        examples=[_example(groups[number], others[number]) for number in longest],
    )


def _example(group: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, Any]:
    shown = [{name: row[name] for name in EXAMPLE_COLUMNS} for row in group[:SHOWN]]
    return {"group": group[0]["group"], "utterances": len(group), "seconds": seconds, "shown": shown}
