"""The index of the shards, `shards/_index.json`: what publishing replaces last, and whoever reads a corpus reads first.

It names the files of shards, ledger and segments that are the corpus. Others may lie beside them: of an edition that a
publish pass is writing, or was writing when it was killed. It lists the generations so far, too (`manifests.history`).
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from curation.core.errors import ConfigError, DataError
from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage
from curation.manifests import shards

FILE = f"{shards.FOLDER}/_index.json"
"""Its name begins with an underscore: Arrow and pandas then read the folder as one table."""
FORMAT_VERSION = "1"
DEFAULT_ROW_GROUP_ROWS = 512
"""For indexes without this field."""
REMEDY = "copy the shards again, or publish the build again with `curation compact BUILD`"
"""Where it is damaged."""
Name = Annotated[str, Field(pattern=r"^[^./\\][^/\\]*$")]
"""Of a file in its folder: no path, so that an index from elsewhere leads to no other file."""
Kind = Literal["build", "append", "compact", "remove"]
MOST = 10**8
"""More rows than a shard can have, more codes than a tokenizer can have: sizes above are damage."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Utterances of a shard that have the same split, language and tier; empty texts for none."""

    split: str
    language: str
    tier: str
    rows: Count
    seconds: Finite


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One shard."""

    file: Name
    """Name in the folder of the shards."""
    rows: Annotated[int, Field(ge=0, le=MOST)]
    sha256: str
    """Of the whole file, hexadecimal."""
    seconds: Finite = 0.0
    tokens: dict[str, Count] = field(default_factory=dict)
    """How many of each stream: `glm`, `semantic`, `global`."""
    bytes: int = 0
    languages: dict[str, int] = field(default_factory=dict)
    """Utterances by language."""
    licences: dict[str, int] = field(default_factory=dict)
    """Utterances by licence, empty for none; of a corpus of a version that knew none, nothing."""
    portions: list[Portion] = field(default_factory=list)
    """All of its utterances; of a corpus of a version that knew none, nothing."""
    voiced: int = 0
    """Utterances with a `voice_id`."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A step in the life of a corpus: what one publish pass, or one removal, made of it."""

    number: Count
    """Its edition."""
    kind: Kind
    """`append`: files were added. `build` and `compact`: all are new. `remove`: those with removed recordings are."""
    before: str = ""
    """SHA-256 of the index before it; empty for the first."""
    rewrites: bool = True
    """Whether shards of the generation before are gone."""
    rows: Count = 0
    """Utterances that the corpus has since then."""
    seconds: Finite = 0.0


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """All files of a published corpus, and what its rows have in common."""

    shards: list[ShardEntry]
    row_group_rows: Annotated[int, Field(ge=1, le=MOST)] = DEFAULT_ROW_GROUP_ROWS
    """Rows per Parquet row group: the unit of seeking in training."""
    tokenizers: dict[str, Any] | None = None
    """Names, fingerprints and sizes of the tokenizers; None where nothing was tokenized."""
    denoise: dict[str, Any] | None = None
    """Settings of the denoise stage; None where it was switched off."""
    cuts: dict[str, Any] | None = None
    """Settings of the diarize stage that say where utterances end; None of a corpus of a version that did not say."""
    software: str = ""
    edition: int = 1
    """Counts the publish passes of the build."""
    ledger: list[Name] = field(default_factory=list)
    """Names of the files in the folder of the ledger."""
    segments: list[Name] = field(default_factory=list)
    """Names of the files in the folder of the segments; empty in a corpus of a version that wrote none."""
    rules: list[dict[str, Any]] = field(default_factory=list)
    """The rules of the thresholds with their bits: see `manifests.segments.table`."""
    thresholds: dict[str, float] = field(default_factory=dict)
    """The thresholds that the utterances met, by setting."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Of each file of the ledger and of the segments, by its name in the build."""
    generations: list[Generation] = field(default_factory=list)
    """Oldest first; the last one is this index. Empty in a corpus of a version that had none."""
    split: dict[str, Any] | None = None
    """The settings of the splits (`manifests.splits.places.SplitConfig`); None where the corpus has none."""
    tiers: list[str] = field(default_factory=list)
    """Names of the tiers, best first."""
    made: str = ""
    """A hash of all that decides how a recording is published: others are appended only where it is the same."""
    planned: Count = 0
    """Generations of the plan that are published."""

    @property
    def rows(self) -> int:
        """Utterances in all shards."""
        return sum(entry.rows for entry in self.shards)

    @property
    def seconds(self) -> float:
        """Duration of all utterances."""
        return sum(entry.seconds for entry in self.shards)

    @property
    def licences(self) -> Counter[str]:
        """Utterances by licence, empty for none."""
        return sum((Counter(entry.licences) for entry in self.shards), Counter[str]())

    @property
    def portions(self) -> list[Portion]:
        """What all shards have of each split, language and tier, sorted by these."""
        sums: dict[tuple[str, str, str], tuple[int, float]] = {}
        for one in (portion for entry in self.shards for portion in entry.portions):
            rows, seconds = sums.get(key := (one.split, one.language, one.tier), (0, 0.0))
            sums[key] = rows + one.rows, seconds + one.seconds
        return [Portion(*key, *sums[key]) for key in sorted(sums)]

    def names(self, folder: str) -> list[str]:
        """Its files in one of the folders shards, ledger, segments."""
        if folder == shards.FOLDER:
            return [entry.file for entry in self.shards]
        return self.ledger if folder == "ledger" else self.segments

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "format": FORMAT_VERSION, "rows": self.rows, "seconds": self.seconds}

    @classmethod
    def from_json(cls, values: Mapping[str, Any], where: str) -> Self:
        """The inverse of `to_json`. Raises DataError, which names `where`, for another format."""
        if values.get("format") != FORMAT_VERSION:
            msg = f"{where}: shards of format {values.get('format')}, this software reads {FORMAT_VERSION}"
            raise DataError(msg)
        entries = [_known(ShardEntry, entry) for entry in values["shards"]]
        return typed(cls, {**_known(cls, values), "shards": entries})


def read_index(out: Storage, name: str = FILE) -> ShardIndex:
    """The index of a build. FileNotFoundError if it is not published; DataError if damaged or of another format."""
    where = f"{out.root}/{name}"
    return out.read_record(name, lambda values: ShardIndex.from_json(values, where), REMEDY)


def finished_index(out: Storage) -> ShardIndex:
    """The index of a build. Raises ConfigError where none is published, DataError where it is damaged."""
    try:
        return read_index(out)
    except FileNotFoundError:
        msg = f"{out.root} holds no finished build: run `curation build`, or see `curation status {out.root}`"
        raise ConfigError(msg) from None


def published_index(out: Storage) -> ShardIndex:
    """The index of a corpus that keeps hashes and generations. Raises ConfigError for any other."""
    found = finished_index(out)
    if not found.generations:
        msg = f"{out.root} is of a version that kept no hashes: `curation compact {out.root}` writes them"
        raise ConfigError(msg)
    return found


def generations_of(content: bytes) -> list[Generation]:
    """Those of an index; none of one that is damaged, or of a version that had none."""
    try:
        return typed(list[Generation], json.loads(content).get("generations", []))
    except (ValueError, AttributeError, RecursionError):
        return []


def _known(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in values.items() if name in names}
