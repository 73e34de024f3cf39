"""The time of each run of a build: `runs/ID.json`, updated during the run, so that a killed run counts too."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage

FOLDER = "runs"


@dataclass(slots=True)
class PoolTimes:
    """What the workers of a pool have done with their time in the label pass: seconds, added over the workers."""

    workers: Count = 0
    """The most that there were at a time."""
    busy: Finite = 0.0
    waiting: Finite = 0.0
    """For input."""
    blocked: Finite = 0.0
    """By what comes after them: as much is under way as `engine.window_gib` allows."""
    retries: Count = 0
    """Calls whose worker died, or whose input was lost with its node; most of them were made again."""


@dataclass(slots=True)
class RunRecord:
    """One run. Times are seconds since 1970."""

    started: Finite
    cpus: Finite
    updated: Finite = 0.0
    """The last heartbeat."""
    current_pass: str = ""
    """`label` or `publish`; empty once the run is done."""
    pass_seconds: dict[str, Finite] = field(default_factory=dict)
    publish_model_seconds: dict[str, Finite] = field(default_factory=dict)
    """Seconds inside the tokenizers, by `stage.model`, over all workers."""
    pools: dict[str, PoolTimes] = field(default_factory=dict)
    """By the name of the pool; empty where the build runs in one process."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "started": self.started,
            "updated": self.updated,
            "cpus": self.cpus,
            "pass": self.current_pass,
            "pass_seconds": self.pass_seconds,
            "publish_model_seconds": self.publish_model_seconds,
            "pools": {name: asdict(times) for name, times in self.pools.items()},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError, which names the field, for other values."""
        return typed(cls, {("current_pass" if name == "pass" else name): value for name, value in values.items()})


def write_run(out: Storage, identifier: str, record: RunRecord) -> None:
    """Write the record of a run, in place of the one before."""
    out.write_json(f"{FOLDER}/{identifier}.json", record.to_json(), durable=False)


def read_runs(out: Storage) -> list[RunRecord]:
    """All runs of a build, oldest first. Raises DataError where a record is damaged."""
    remedy = "remove it; only the times of that run are lost"
    records = [out.read_record(f"{FOLDER}/{name}", RunRecord.from_json, remedy) for name in out.names(FOLDER)]
    return sorted(records, key=lambda record: record.started)
