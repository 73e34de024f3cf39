"""What each run of a build took: written while it goes on, so that a killed run is counted too.

`runs/ID.json` holds start, last sign of life, CPUs, and the seconds of each pass.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from curation.core.storage import Storage

FOLDER = "runs"
HEARTBEAT_SECONDS = 5.0


@dataclass
class RunLog:
    """The log of one run."""

    out: Storage
    run: str
    cpus: float
    started: float = field(default_factory=time.time)
    passes: dict[str, float] = field(default_factory=dict)
    models: dict[str, float] = field(default_factory=dict)
    _written: float = 0.0
    _pass: str = ""
    _since: float = 0.0

    def enter(self, name: str) -> None:
        """A pass begins; the one before it ends."""
        self._count()
        self._pass = name
        self.beat(force=True)

    def beat(self, *, force: bool = False) -> None:
        """Write a sign of life, at most every few seconds."""
        self._count()
        now = time.time()
        if force or now - self._written >= HEARTBEAT_SECONDS:
            self._written = now
            self.out.write_json(f"{FOLDER}/{self.run}.json", self._note(now), durable=False)

    def add_models(self, seconds: dict[str, float]) -> None:
        """Count seconds spent inside models of the publish pass."""
        for name, value in seconds.items():
            self.models[name] = self.models.get(name, 0.0) + value

    def _count(self) -> None:
        now = time.time()
        if self._pass:
            self.passes[self._pass] = self.passes.get(self._pass, 0.0) + now - self._since
        self._since = now

    def _note(self, now: float) -> dict[str, Any]:
        return {
            "started": self.started,
            "updated": now,
            "cpus": self.cpus,
            "pass": self._pass,
            "pass_seconds": self.passes,
            "publish_model_seconds": self.models,
        }


def read_runs(out: Storage) -> list[dict[str, Any]]:
    """All runs of a build, oldest first."""
    notes = [out.read_json(f"{FOLDER}/{name}") for name in out.names(FOLDER)]
    return sorted(notes, key=lambda note: note["started"])
