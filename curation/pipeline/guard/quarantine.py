"""Records which tasks killed their worker, so that a recording that does so cannot block a build indefinitely.

A worker writes an attempt record before it starts a task, and removes it afterwards. A record that exists when the task
comes again means that the worker died. The first crash makes the worker careful: it then records each recording
separately. A recording on which a careful worker died is given up, as `failed`.

    with quarantine.attempt("00000003-000000") as attempt:
        if attempt.careful:
            attempt.note(recording_id)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from curation.core.records import Count, typed
from curation.core.storage import Storage

FOLDER = "attempts"
UNEXPLAINED = "the worker process died (a crash in native code, or killed by the system, e.g. for memory)"


@dataclass(slots=True)
class Crash:
    """How a recording killed its worker: what it was doing, and how many spans of it had been decoded."""

    detail: str
    spans: Count = 0


@dataclass(frozen=True, slots=True)
class _Note:
    """An attempt record."""

    run: str
    crashes: Count
    victims: dict[str, Crash]
    current: str
    detail: str
    spans: Count


@dataclass(slots=True)
class Attempt:
    """One try at a task."""

    out: Storage
    file: str
    run: str
    crashes: int = 0
    """Workers that died on the task in this run."""
    victims: dict[str, Crash] = field(default_factory=dict)
    """Recordings that have killed a careful worker."""
    current: str = ""
    spans: int = 0
    doing: str = ""

    @property
    def careful(self) -> bool:
        """True once a worker has died on this task."""
        return self.crashes > 0

    def note(self, recording: str = "", doing: str = "", spans: int = 0) -> None:
        """Record what comes next, in case it kills this process."""
        self.current, self.doing, self.spans = recording, doing, spans
        self._write(f"{UNEXPLAINED} in {doing}" if doing else UNEXPLAINED)

    def explain(self, reason: str) -> None:
        """Record why this process is about to end itself."""
        self._write(reason)

    def _write(self, detail: str) -> None:
        note = {
            "run": self.run,
            "crashes": self.crashes,
            "victims": {key: asdict(crash) for key, crash in self.victims.items()},
            "current": self.current,
            "detail": detail,
            "spans": self.spans,
        }
        self.out.write_json(self.file, note, durable=False)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The attempt records of one run of a build. Those of earlier runs are ignored: their cause may be gone."""

    out: Storage
    run: str

    def clear(self) -> None:
        """Remove the records of all runs."""
        for name in self.out.names(FOLDER):
            self.out.remove(f"{FOLDER}/{name}")
        self.out.remove_if_empty(FOLDER)

    @contextmanager
    def attempt(self, task: str) -> Iterator[Attempt]:
        """Attempt `task`, a name that is a valid file name."""
        file = f"{FOLDER}/{task}.json"
        attempt = self._next(file)
        attempt.note()
        yield attempt
        self.out.remove(file)

    def _next(self, file: str) -> Attempt:
        try:
            return self.out.read_record(file, lambda note: self._after(note, file), "run the same command again")
        except FileNotFoundError:
            return Attempt(self.out, file, self.run)

    def _after(self, note: dict[str, Any], file: str) -> Attempt:
        """The attempt that follows the one that left this record."""
        if note.get("run") != self.run:
            return Attempt(self.out, file, self.run)
        left = typed(_Note, note)
        victims = left.victims | ({left.current: Crash(left.detail, left.spans)} if left.current else {})
        return Attempt(self.out, file, self.run, crashes=left.crashes + 1, victims=victims)
