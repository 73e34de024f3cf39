"""The accounting of a build: hours of input, kept, rejected by reason, failed, non-speech; and where the time went."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.counts import Distinct, digest
from curation.core.errors import ConfigError, DataError
from curation.core.parquet import damage_named
from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests import ledger
from curation.manifests.error_rates import ErrorRate
from curation.manifests.history.labelling import read_labelling
from curation.manifests.history.seal import FIELD, sealed
from curation.manifests.index import REMEDY, ShardIndex
from curation.manifests.inputs.skipped import ByReason, read_skipped
from curation.manifests.runs import RunRecord, read_runs
from curation.manifests.schemas import LEDGER
from curation.manifests.splits.mixture import KEYS, Mixing, Mixture
from curation.manifests.splits.places import SPLITS
from curation.manifests.tokens import STREAMS

FILE = "summary.json"


@dataclass(slots=True)
class Line:
    """One kind of verdict: the number of intervals, and their seconds."""

    status: str
    reason: str
    count: Count
    seconds: Finite


@dataclass(slots=True)
class Amount:
    """Some utterances: those of a split, or of a tier."""

    name: str
    """Empty: of no tier."""
    utterances: Count
    seconds: Finite


@dataclass(slots=True)
class Timing:
    """Where the time of a build went."""

    label: StageTimes = field(default_factory=StageTimes)
    """By stage and model, over all workers and runs."""
    runs: list[RunRecord] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"label": self.label.to_json(), "runs": [run.to_json() for run in self.runs]}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Timing":
        """The inverse of `to_json`."""
        runs = [RunRecord.from_json(run) for run in values["runs"]]
        return cls(StageTimes.from_json(values["label"]), runs)


@dataclass(slots=True)
class Summary:
    """What `curation summary` shows and `summary.json` holds."""

    recordings: Count
    failed_recordings: Count
    seconds: Finite
    lines: list[Line]
    shards: Count
    utterances: Count
    kept_seconds: Finite
    tokens: dict[str, Count]
    speakers: Count
    languages: dict[str, Count]
    splits: list[Amount] = field(default_factory=list)
    """What is kept of each; empty where the corpus has none."""
    tiers: list[Amount] = field(default_factory=list)
    """What is kept of each, best first, and last of none; empty where the build has none."""
    errors: dict[str, ErrorRate] = field(default_factory=dict)
    """How often ASR systems and stages raised in the label pass."""
    skipped: ByReason = field(default_factory=dict)
    """What was left out of the inputs when they were listed, by reason."""
    timing: Timing = field(default_factory=Timing)

    @property
    def failed_fraction(self) -> float:
        """Share of the recordings in which something failed."""
        return self.failed_recordings / max(1, self.recordings)

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "timing": self.timing.to_json(), "failed_fraction": self.failed_fraction}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Summary":
        """The inverse of `to_json`. Raises ValueError, which names the field, for other values."""
        apart = {"failed_fraction", "timing", FIELD}
        summary = typed(cls, {key: value for key, value in values.items() if key not in apart})
        summary.timing = Timing.from_json(values["timing"])
        return summary


def write_summary(out: Storage, summary: Summary) -> None:
    """Write the summary of a build, sealed."""
    out.write_bytes(FILE, sealed(summary.to_json()))


def read_summary(out: Storage) -> Summary:
    """The summary of a finished build. Raises ConfigError where there is none, DataError where it is damaged."""
    try:
        return out.read_record(FILE, Summary.from_json, f"`curation build -o {out.root}` writes it again")
    except FileNotFoundError:
        msg = f"{out.root} holds no finished build: run `curation build`, or see `curation status {out.root}`"
        raise ConfigError(msg) from None


@dataclass(slots=True)
class LedgerTally:
    """What recordings of the ledger add to the summary. Times are samples: sums do not depend on the order."""

    recordings: int = 0
    failed_recordings: int = 0
    lines: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """By status and reason, the number of intervals and their samples."""
    unnamed_speakers: int = 0
    """Speakers of kept utterances without a name from the manifest (`named_speakers` gives the others)."""

    @classmethod
    def of(cls, rows: pa.Table, voices: pa.ChunkedArray) -> "LedgerTally":
        """Count rows of the ledger. `voices` are the speakers as they are published, of what is not non-speech."""
        failed = rows.filter(pc.equal(rows["status"], "failed"))
        unnamed = _kept_voices(rows, voices).filter(pc.field("voice") == pc.field("generated"))
        counted = cls(
            recordings=pc.count_distinct(rows["recording_id"]).as_py(),
            failed_recordings=pc.count_distinct(failed["recording_id"]).as_py(),
            unnamed_speakers=pc.count_distinct(unnamed["voice"]).as_py(),
        )
        samples = rows.append_column("samples", pc.subtract(rows["end_sample"], rows["start_sample"]))
        sums = samples.group_by(["status", "reason"]).aggregate([("samples", "count"), ("samples", "sum")])
        for row in sums.to_pylist():
            counted._add_line(row["status"], row["reason"] or "", row["samples_count"], row["samples_sum"])
        return counted

    def add(self, other: "LedgerTally") -> None:
        """Add what other recordings add."""
        self.recordings += other.recordings
        self.failed_recordings += other.failed_recordings
        self.unnamed_speakers += other.unnamed_speakers
        for line in other.verdicts():
            self._add_line(*line)

    def verdicts(self) -> Iterator[tuple[str, str, int, int]]:
        """Status, reason, number of intervals and their samples."""
        for status, reasons in self.lines.items():
            for reason, (count, samples) in reasons.items():
                yield status, reason, count, samples

    def _add_line(self, status: str, reason: str, count: int, samples: int) -> None:
        before = self.lines.setdefault(status, {}).get(reason, (0, 0))
        self.lines[status][reason] = before[0] + count, before[1] + samples


def named_speakers(rows: pa.Table, voices: pa.ChunkedArray) -> set[int]:
    """Digests of the speakers of kept utterances that the manifest names: they may be in other recordings too.

    Rows and voices are those of `LedgerTally.of`.
    """
    named = _kept_voices(rows, voices).filter(pc.field("voice") != pc.field("generated"))
    return {digest(name) for name in pc.unique(named["voice"]).to_pylist()}


def mixture_of(rows: pa.Table, heard: pa.Table) -> Mixture:
    """What kept utterances add to the mixture; `heard` are the segments of the rows that are not non-speech."""
    kept = pc.equal(heard["status"], "kept")
    lengths = pc.cast(pc.round(pc.multiply(heard["seconds"], float(SAMPLE_RATE))), pa.int64())
    columns = heard.select(KEYS).append_column("samples", lengths).filter(kept)
    voices = _kept_voices(rows, heard["speaker"])
    return Mixture.of(columns.append_column("voice", voices["voice"]).append_column("generated", voices["generated"]))


def _kept_voices(rows: pa.Table, voices: pa.ChunkedArray) -> pa.Table:
    """The published speaker of each kept utterance, and the name that is generated where there is no other."""
    heard = rows.filter(pc.not_equal(rows["status"], ledger.NON_SPEECH))
    generated = pc.binary_join_element_wise(heard["recording_id"], heard["speaker"], "-")
    table = pa.table({"voice": voices, "generated": generated})
    return table.filter(pc.equal(heard["status"], "kept"))


@dataclass(frozen=True, slots=True)
class PartSums:
    """What a part of the ledger adds to the whole; it is in the footer of its file."""

    tally: LedgerTally
    speakers: list[int]
    """See `named_speakers`."""
    mixture: Mixture = field(default_factory=Mixture)

    KEY: ClassVar[str] = "curation.sums"

    def to_text(self) -> str:
        """For the footer."""
        return json.dumps(_fields(self), default=_fields, sort_keys=True)  # `asdict` copies every number


def _fields(record: Any) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields(record)}


def write_removal(out: Storage, number: int, reason: str, samples: int) -> dict[str, str]:
    """Write the part of the ledger that says what removal number `number` took, so that seconds still add up; returns
    its SHA-256 by its name in the build.
    """
    file = f"{ledger.FOLDER}/{ledger.removal_name(number)}"
    sums = PartSums(LedgerTally(lines={ledger.REMOVED: {reason: (1, samples)}}), [])
    with out.table_writer(file, LEDGER, ledger.ROW_GROUP_ROWS) as writer:
        writer.add(ledger.removal_rows(number, reason, samples))
        writer.annotate(PartSums.KEY, sums.to_text())
    return {file: writer.sha256}


def added_up(out: Storage, corpus: ShardIndex) -> tuple[LedgerTally, int, list[dict[str, Any]]]:
    """What all parts of the ledger add up to, how many speakers there are, and what they have (`Mixing.cells`).

    Raises DataError where a part does not say what it adds.
    """
    tally, named, mixing = LedgerTally(), Distinct(), Mixing()
    for name in corpus.ledger:
        file = f"{ledger.FOLDER}/{name}"
        with damage_named(f"{out.root}/{file}", REMEDY), out.open_table(file) as opened:
            content = (opened.metadata.metadata or {})[PartSums.KEY.encode()]
        try:
            part = typed(PartSums, json.loads(content))
        except ValueError as error:
            msg = f"{out.root}/{file} is damaged ({PartSums.KEY}: {error}): {REMEDY}"
            raise DataError(msg) from error
        tally.add(part.tally)
        named.add(part.speakers)
        mixing.add(part.mixture)
    return tally, tally.unnamed_speakers + len(named), mixing.cells()


def summarize(out: Storage, index: ShardIndex) -> tuple[Summary, list[dict[str, Any]]]:
    """The summary and the mixture of a corpus: what its ledger, its shards and its label pass add up to."""
    labelling = read_labelling(out, index.edition)
    tally, speakers, mixture = added_up(out, index)
    languages: Counter[str] = Counter()
    for entry in index.shards:
        languages.update(entry.languages)
    lines = [Line(status, reason, count, samples / SAMPLE_RATE) for status, reason, count, samples in tally.verdicts()]
    order = {"kept": 0, "rejected": 1, ledger.NON_SPEECH: 2, "failed": 3, ledger.REMOVED: 4}
    samples = sum(samples for *_, samples in tally.verdicts())
    summary = Summary(
        recordings=tally.recordings,
        failed_recordings=tally.failed_recordings,
        seconds=samples / SAMPLE_RATE,
        lines=sorted(lines, key=lambda line: (order[line.status], -line.seconds, line.reason)),
        shards=len(index.shards),
        utterances=index.rows,
        kept_seconds=sum(samples for _, samples in tally.lines.get("kept", {}).values()) / SAMPLE_RATE,
        tokens={name: sum(entry.tokens[name] for entry in index.shards) for name in STREAMS},
        speakers=speakers,
        languages=dict(sorted(languages.items())),
        splits=_amounts(index, "split", SPLITS) if index.split else [],
        tiers=_amounts(index, "tier", [*index.tiers, ""]) if index.tiers else [],
        errors=dict(sorted(labelling.errors.items())),
        skipped=read_skipped(out),
        timing=Timing(labelling.times, read_runs(out)),
    )
    return summary, mixture


def _amounts(index: ShardIndex, what: str, names: Sequence[str]) -> list[Amount]:
    """What each of these splits or tiers has."""
    found = {name: Amount(name, 0, 0.0) for name in names}
    for portion in index.portions:
        mine = found[getattr(portion, what)]
        mine.utterances, mine.seconds = mine.utterances + portion.rows, mine.seconds + portion.seconds
    return list(found.values())
