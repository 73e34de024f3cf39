"""The accounting of a build: hours of input, kept, rejected by reason, failed, non-speech; and where the time went."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests import ledger
from curation.manifests.error_rates import ErrorRate
from curation.manifests.index import ShardIndex
from curation.manifests.inputs.skipped import ByReason
from curation.manifests.plan import Stretch
from curation.manifests.runs import RunRecord
from curation.manifests.selection import Selection
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
        apart = {"failed_fraction", "timing"}
        summary = typed(cls, {key: value for key, value in values.items() if key not in apart})
        summary.timing = Timing.from_json(values["timing"])
        return summary


def read_summary(out: Storage) -> Summary:
    """The summary of a finished build. Raises ConfigError where there is none, DataError where it is damaged."""
    try:
        return out.read_record(FILE, Summary.from_json, f"`curation build -o {out.root}` writes it again")
    except FileNotFoundError:
        msg = f"{out.root} holds no finished build: run `curation build`, or see `curation status {out.root}`"
        raise ConfigError(msg) from None


@dataclass(slots=True)
class LedgerTally:
    """What a part of the ledger adds to the summary. Times are samples: sums do not depend on the order."""

    recordings: int
    failed_recordings: int
    lines: list[tuple[str, str, int, int]]
    """Status, reason, number of intervals, their samples."""
    named_speakers: list[str]
    """Speakers of kept utterances whose name is from the manifest: they may be in other parts too."""
    other_speakers: int


def tally(rows: pa.Table, selections: Iterable[Selection]) -> LedgerTally:
    """Count rows of the ledger, and the speakers of the selections that they are of."""
    samples = pc.subtract(rows["end_sample"], rows["start_sample"])
    lines = rows.append_column("samples", samples).group_by(["status", "reason"])
    sums = lines.aggregate([("samples", "count"), ("samples", "sum")]).to_pylist()
    failed = rows.filter(pc.equal(rows["status"], "failed"))
    named: set[str] = set()
    others = 0
    for selection in selections:
        kept = selection.kept
        sources = selection.spans["source"].take(kept["row"]).to_pylist()
        names = [
            source["speaker"] if alone else ""
            for source, alone in zip(sources, kept["one_voice"].to_pylist(), strict=True)
        ]
        named.update(filter(None, names))
        voices = zip(sources, kept["speaker"].to_pylist(), names, strict=True)
        others += len({(source["id"], label) for source, label, name in voices if not name})
    return LedgerTally(
        recordings=pc.count_distinct(rows["recording_id"]).as_py(),
        failed_recordings=pc.count_distinct(failed["recording_id"]).as_py(),
        lines=[(row["status"], row["reason"] or "", row["samples_count"], row["samples_sum"]) for row in sums],
        named_speakers=sorted(named),
        other_speakers=others,
    )


def summarize(
    tallies: Iterable[LedgerTally], index: ShardIndex, timing: Timing, errors: Mapping[str, ErrorRate]
) -> Summary:
    """Add up the parts of the ledger and the shards of a corpus."""
    count: Counter[tuple[str, str]] = Counter()
    samples: Counter[tuple[str, str]] = Counter()
    recordings = failed = speakers = 0
    named: set[str] = set()
    languages: Counter[str] = Counter()
    for part in tallies:
        recordings, failed = recordings + part.recordings, failed + part.failed_recordings
        speakers += part.other_speakers
        named.update(part.named_speakers)
        for status, reason, intervals, length in part.lines:
            count[status, reason] += intervals
            samples[status, reason] += length
    for entry in index.shards:
        languages.update(entry.languages)
    order = {"kept": 0, "rejected": 1, ledger.NON_SPEECH: 2, "failed": 3}
    keys = sorted(count, key=lambda key: (order[key[0]], -samples[key], key[1]))
    lines = [Line(*key, count[key], samples[key] / SAMPLE_RATE) for key in keys]
    return Summary(
        recordings=recordings,
        failed_recordings=failed,
        seconds=samples.total() / SAMPLE_RATE,
        lines=lines,
        shards=len(index.shards),
        utterances=index.rows,
        kept_seconds=index.seconds,
        tokens={name: sum(entry.tokens[name] for entry in index.shards) for name in STREAMS},
        speakers=speakers + len(named),
        languages=dict(sorted(languages.items())),
        errors=dict(sorted(errors.items())),
        timing=timing,
    )


@dataclass(slots=True)
class FailedRecording:
    """What failed of a recording, and of which version of its file."""

    version: str
    stretches: list[Stretch] = field(default_factory=list)


TO_THE_END = 2**62
"""End of a stretch in which decoding failed: how long the recording goes on is not known."""


def failed_recordings(out: Storage, corpus: ShardIndex) -> dict[str, FailedRecording]:
    """The recordings of a corpus in which something failed, by id, from its ledger."""
    found: dict[str, FailedRecording] = {}
    for name in corpus.ledger:
        table = out.read_table(
            f"{ledger.FOLDER}/{name}", ["recording_id", "version", "start_sample", "end_sample", "status"]
        )
        following = [*table["recording_id"].to_pylist()[1:], ""]
        for row, after in zip(table.to_pylist(), following, strict=True):
            if row["status"] == "failed":
                end = row["end_sample"] if after == row["recording_id"] else TO_THE_END
                recording = found.setdefault(row["recording_id"], FailedRecording(row["version"]))
                recording.stretches.append((row["start_sample"], max(end, row["start_sample"] + 1)))
    return dict(sorted(found.items()))
