"""Keeps the record of a run (`manifests.runs`) up to date: the time of each pass, and a heartbeat."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from curation.core.storage import Storage
from curation.core.timing import add_seconds
from curation.manifests.runs import PoolTimes, RunRecord, write_run

HEARTBEAT_SECONDS = 5.0


@dataclass
class Journal:
    """The journal of one run."""

    out: Storage
    run: str
    record: RunRecord
    pools: Callable[[], dict[str, PoolTimes]] = dict
    """What the workers of the label pass have done so far."""
    _since: float = 0.0

    @classmethod
    def begin(cls, out: Storage, run: str, cpus: float, pools: Callable[[], dict[str, PoolTimes]] = dict) -> "Journal":
        """A run starts now."""
        return cls(out, run, RunRecord(started=time.time(), cpus=cpus), pools)

    def enter(self, name: str) -> None:
        """A pass starts, and the one before it ends; an empty name ends the run."""
        self._count()
        self.record.current_pass = name
        self.beat(force=True)

    def beat(self, *, force: bool = False) -> None:
        """Write a heartbeat, at most every few seconds."""
        self._count()
        now = time.time()
        if force or now - self.record.updated >= HEARTBEAT_SECONDS:
            self.record.updated = now
            self.record.pools = self.pools()
            write_run(self.out, self.run, self.record)

    def add_models(self, seconds: Mapping[str, float]) -> None:
        """Count seconds spent inside models of the publish pass."""
        add_seconds(self.record.publish_model_seconds, seconds)

    def _count(self) -> None:
        now = time.time()
        if self.record.current_pass:
            add_seconds(self.record.pass_seconds, {self.record.current_pass: now - self._since})
        self._since = now
