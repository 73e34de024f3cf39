"""The accounting of a build: hours of input, kept, rejected by reason, failed, non-speech; and where the time went."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow.compute as pc

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests import ledger, shards
from curation.manifests.error_rates import ErrorRate
from curation.manifests.index import read_index
from curation.manifests.inputs.skipped import ByReason, Skipped, read_skipped
from curation.manifests.runs import RunRecord, read_runs
from curation.manifests.tokens import STREAMS

FILE = "summary.json"


@dataclass(slots=True)
class Line:
    """One kind of verdict: the number of intervals, and their seconds."""

    status: str
    reason: str
    count: int
    seconds: float


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

    recordings: int
    failed_recordings: int
    seconds: float
    lines: list[Line]
    shards: int
    utterances: int
    kept_seconds: float
    tokens: dict[str, int]
    speakers: int
    languages: dict[str, int]
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
        """The inverse of `to_json`."""
        fields = {key: value for key, value in values.items() if key != "failed_fraction"}
        lines = [Line(**line) for line in fields["lines"]]
        errors = {name: ErrorRate(**rate) for name, rate in fields["errors"].items()}
        skipped = {reason: Skipped(**item) for reason, item in fields["skipped"].items()}
        timing = Timing.from_json(fields["timing"])
        return cls(**{**fields, "lines": lines, "errors": errors, "skipped": skipped, "timing": timing})


def read_summary(out: Storage) -> Summary:
    """The summary of a finished build. Raises ConfigError where there is none, DataError where it is damaged."""
    try:
        return out.read_record(FILE, Summary.from_json, f"`curation build -o {out.root}` writes it again")
    except FileNotFoundError:
        msg = f"{out.root} holds no finished build: run `curation build`, or see `curation status {out.root}`"
        raise ConfigError(msg) from None


def write_summary(out: Storage, label: StageTimes, errors: Mapping[str, ErrorRate]) -> Summary:
    """Add up a published build, whose labelling took the times `label` with these errors, and write its summary."""
    summary = summarize(out, Timing(label, read_runs(out)), errors)
    summary.skipped = read_skipped(out)
    out.write_json(FILE, summary.to_json())
    return summary


def summarize(out: Storage, timing: Timing, errors: Mapping[str, ErrorRate]) -> Summary:
    """Add up the ledger and the index of a published build, one file after the other."""
    count: Counter[tuple[str, str]] = Counter()
    seconds: defaultdict[tuple[str, str], float] = defaultdict(float)
    recordings = failed = 0
    columns = ["recording_id", "status", "reason", "seconds"]
    for _, table in out.iter_tables(ledger.FOLDER, columns):
        recordings += pc.count_distinct(table["recording_id"]).as_py()
        failed += pc.count_distinct(table.filter(pc.equal(table["status"], "failed"))["recording_id"]).as_py()
        grouped = table.group_by(["status", "reason"]).aggregate([("seconds", "sum"), ("seconds", "count")])
        for row in grouped.to_pylist():
            key = row["status"], row["reason"] or ""
            count[key] += row["seconds_count"]
            seconds[key] += row["seconds_sum"]
    index = read_index(out)
    speakers, languages = _voices(out)
    order = {"kept": 0, "rejected": 1, ledger.NON_SPEECH: 2, "failed": 3}
    keys = sorted(count, key=lambda key: (order[key[0]], -seconds[key]))
    return Summary(
        recordings=recordings,
        failed_recordings=failed,
        seconds=sum(seconds.values()),
        lines=[Line(status, reason, count[status, reason], seconds[status, reason]) for status, reason in keys],
        shards=len(index.shards),
        utterances=index.rows,
        kept_seconds=index.seconds,
        tokens={name: sum(entry.tokens[name] for entry in index.shards) for name in STREAMS},
        speakers=speakers,
        languages=languages,
        errors=dict(sorted(errors.items())),
        timing=timing,
    )


def failed_recordings(out: Storage) -> list[str]:
    """Ids of the recordings in which something failed, from the ledger."""
    found: set[str] = set()
    for _, table in out.iter_tables(ledger.FOLDER, ["recording_id", "status"]):
        found.update(table.filter(pc.equal(table["status"], "failed"))["recording_id"].to_pylist())
    return sorted(found)


def _voices(out: Storage) -> tuple[int, dict[str, int]]:
    """Number of speakers, and utterances by language, of the shards."""
    speakers: set[str] = set()
    languages: Counter[str] = Counter()
    for _, table in out.iter_tables(shards.FOLDER, ["speaker", "language"]):
        speakers.update(pc.unique(table["speaker"]).to_pylist())
        for row in pc.value_counts(table["language"]).to_pylist():
            languages[row["values"]] += row["counts"]
    return len(speakers), dict(sorted(languages.items()))
