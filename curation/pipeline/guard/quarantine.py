"""What is known of earlier attempts at a task that killed their worker, so that a recording cannot block a build.

The driver sees that a worker died, and on which task. The next attempt at the task is careful: its worker does one
recording at a time and leaves a note before each. A recording on which a careful worker died is given up, as `failed`.
The watchdog leaves its reason in the same way before it ends a process.

A task of the publish pass asks for its attempt with `current_attempt`.

    attempt = Attempt(out, "label-00000003-000000")     # in the driver
    attempt.note(recording_id)                          # in the worker
    attempt = attempt.after_death("the process died")   # in the driver: the next one
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from functools import partial

from curation.core.records import Count, typed
from curation.core.storage import Storage

FOLDER = "attempts"
UNEXPLAINED = "the worker process died (a crash in native code, or killed by the system, e.g. for memory)"
MAX_UNEXPLAINED = 3
"""Deaths that no recording is to blame for."""


@dataclass(slots=True)
class Crash:
    """How a recording killed its worker: what it was doing, and how many spans of it had been decoded."""

    detail: str
    spans: Count = 0


@dataclass(frozen=True, slots=True)
class _Note:
    """What a worker was doing."""

    detail: str = ""
    spans: Count = 0
    current: str = ""


@dataclass(slots=True)
class Attempt:
    """One try at a task. Without `out` nothing is noted: a process that does all itself cannot outlive a crash."""

    out: Storage | None = None
    task: str = ""
    """A name that is a valid file name."""
    deaths: int = 0
    """Workers that died on the task in this run."""
    victims: dict[str, Crash] = field(default_factory=dict)
    """Recordings that have killed a careful worker."""
    detail: str = ""
    """Why the latest worker died."""
    current: str = ""
    spans: int = 0
    noted: float = 0.0
    """When this process last said what comes next, by its monotonic clock."""

    @property
    def careful(self) -> bool:
        """True once a worker has died on this task."""
        return self.deaths > 0

    @property
    def hopeless(self) -> bool:
        """True where it is no recording that kills the workers."""
        return self.deaths - len(self.victims) >= MAX_UNEXPLAINED

    def note(self, recording: str, doing: str, spans: int = 0) -> None:
        """Record what comes next, in case it kills this process: only a careful attempt does so. `recording` is empty
        where none would be to blame.
        """
        self.noted = time.monotonic()
        if self.careful:
            self.current, self.spans = recording, spans
            self._write(f"{UNEXPLAINED} in {doing}")

    def explain(self, reason: str) -> None:
        """Record why this process is about to end itself."""
        self._write(reason)

    def finish(self) -> None:
        """Remove the note of a careful attempt that ended well."""
        if self.careful and self.out is not None:
            self.out.remove(self._file)

    def after_death(self, detail: str = UNEXPLAINED) -> "Attempt":
        """The next attempt; `detail` explains the death where no note does."""
        victims, note = dict(self.victims), self._take()
        if note.current:
            victims[note.current] = Crash(note.detail, note.spans)
        return Attempt(self.out, self.task, self.deaths + 1, victims, note.detail or detail)

    @property
    def _file(self) -> str:
        return f"{FOLDER}/{self.task}.json"

    def _write(self, detail: str) -> None:
        if self.out is not None:
            self.out.write_json(self._file, asdict(_Note(detail, self.spans, self.current)), durable=False)

    def _take(self) -> _Note:
        if self.out is None:
            return _Note()
        try:
            note = self.out.read_record(self._file, partial(typed, _Note), "run the same command again")
        except FileNotFoundError:
            return _Note()
        self.out.remove(self._file)
        return note


_CURRENT: ContextVar[Attempt | None] = ContextVar("attempt", default=None)


@contextmanager
def working_on(attempt: Attempt) -> Iterator[None]:
    """The block does the task of the attempt."""
    token = _CURRENT.set(attempt)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_attempt() -> Attempt:
    """The attempt that this process works on; outside of worker processes one that notes nothing."""
    return _CURRENT.get() or Attempt()


def clear_notes(out: Storage) -> None:
    """Remove the notes that killed runs have left."""
    for name in out.names(FOLDER):
        out.remove(f"{FOLDER}/{name}")
    out.remove_if_empty(FOLDER)
