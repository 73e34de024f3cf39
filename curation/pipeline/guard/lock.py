"""One build at a time in an output folder: two at once would overwrite each other's plan, attempts and shards.

    with held(out, run="4f2a...", wait_seconds=60) as lock:
        ...
        lock.check()        # LockError where somebody has taken the folder over by force

`lock.json` names the holder and is rewritten every few seconds. It outlives a kill, so that its holder is checked
first: on this machine by whether its process still runs, elsewhere by its heartbeat. On a local folder the kernel's
lock (flock) is taken too; it ends with the process, whatever kills it.
"""

import errno
import fcntl
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from curation.core.errors import ConfigError, LockError
from curation.core.storage import Storage

log = logging.getLogger(__name__)

FILE = "lock.json"
HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
"""Without a heartbeat for this long, a holder on another machine may be dead."""
WATCH_SECONDS = 2.5 * HEARTBEAT_SECONDS
"""It is then watched for this long before its lock is taken: its clock may be wrong."""
SETTLE_SECONDS = 1.0
"""An object store has no lock of its own: of two concurrent writers, the later one gets it."""
START_TOLERANCE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that builds."""

    run: str
    host: str
    machine: str
    """Boot and process namespace: where it is the same as ours, its process id is valid here."""
    pid: int
    pid_started: float
    """Seconds since 1970; process ids are reused, with another start."""
    updated: float
    """Its last heartbeat, by its own clock."""

    @property
    def is_gone(self) -> bool:
        """True where the process is known to have ended."""
        if self.machine != _machine():
            return False
        try:
            started = psutil.Process(self.pid).create_time()
        except psutil.NoSuchProcess:
            return True
        return abs(started - self.pid_started) > START_TOLERANCE_SECONDS

    def describe(self) -> str:
        """The holder, for a message."""
        return f"process {self.pid} on {self.host}, last heartbeat {max(0.0, time.time() - self.updated):.0f} s ago"


@dataclass
class Lock:
    """The lock while it is held."""

    out: Storage
    me: Holder
    _lost_to: Holder | None = None
    _ended: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise LockError where another build has taken the folder over."""
        if self._lost_to is not None:
            msg = f"{self.out.root} was taken over by {self._lost_to.describe()}: this build ends here"
            raise LockError(msg)

    def beat(self) -> None:
        """Renew the lock, unless it is no longer ours."""
        holder = read_holder(self.out)
        if holder is not None and holder.run != self.me.run:
            self._lost_to = holder
            return
        _write(self.out, self.me)

    def keep(self) -> None:
        """Renew the lock until it is released. Runs in its own thread."""
        while not self._ended.wait(HEARTBEAT_SECONDS) and self._lost_to is None:
            try:
                self.beat()
            except OSError as error:
                log.warning("could not renew %s/%s: %s", self.out.root, FILE, error)

    def end(self) -> None:
        """Stop renewing the lock."""
        self._ended.set()


@contextmanager
def held(out: Storage, run: str, *, wait_seconds: float = 0.0, force: bool = False) -> Iterator[Lock]:
    """Hold the lock of an output folder. Raises LockError where it is still held after `wait_seconds`.

    `force` takes it from whoever has it: that build ends itself at its next step.
    """
    me = Holder(run, platform.node(), _machine(), os.getpid(), psutil.Process().create_time(), time.time())
    deadline = time.monotonic() + wait_seconds
    with ExitStack() as stack:
        while (holder := _acquire(out, me, stack, force=force)) is not None:
            if time.monotonic() >= deadline:
                msg = (
                    f"another build is using {out.root}: {holder.describe()}. Let it finish, stop it, wait for it with "
                    f"--wait SECONDS, or take the folder from it with --force-unlock"
                )
                raise LockError(msg)
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
        lock = Lock(out, me)
        thread = threading.Thread(target=lock.keep, daemon=True, name="lock")
        thread.start()
        try:
            yield lock
        finally:
            lock.end()
            thread.join()
            left = read_holder(out)
            if left is not None and left.run == run:
                out.remove(FILE)


def read_holder(out: Storage) -> Holder | None:
    """The holder in the lock file, dead or alive."""
    try:
        return Holder(**json.loads(out.read_bytes(FILE)))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        msg = f"{out.root}/{FILE} is not a lock of this software ({error}): remove it if nothing builds there"
        raise LockError(msg) from error


def _acquire(out: Storage, me: Holder, stack: ExitStack, *, force: bool) -> Holder | None:
    """Take the lock, or return its holder."""
    has_kernel_lock = _kernel_lock(out, stack)
    holder = read_holder(out)
    if not force:
        if has_kernel_lock is False:
            return holder or Holder("", platform.node(), "", 0, 0.0, time.time())
        if holder is not None and not (holder.is_gone or _is_silent(out, holder)):
            stack.close()
            return holder
    _write(out, me)
    if not out.is_local:
        time.sleep(SETTLE_SECONDS)
        after = read_holder(out)
        if after is not None and after.run != me.run:
            return after
    return None


def _is_silent(out: Storage, holder: Holder) -> bool:
    """Whether a holder elsewhere has no heartbeat: neither by its clock, nor while it is watched."""
    if time.time() - holder.updated < STALE_SECONDS:
        return False
    end = time.monotonic() + WATCH_SECONDS
    while time.monotonic() < end:
        if read_holder(out) != holder:
            return False
        time.sleep(0.5)
    return True


def _kernel_lock(out: Storage, stack: ExitStack) -> bool | None:
    """Lock the folder itself: False where another process has it, None where the file system has no such locks."""
    if not out.is_local:
        return None
    folder = Path(out.path("."))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder, os.O_RDONLY)  # closed on exec: no child of ours inherits the lock
    except OSError as error:
        msg = f"{folder} cannot be an output folder: {error.strerror}"
        raise ConfigError(msg) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        return False if error.errno in {errno.EWOULDBLOCK, errno.EACCES} else None
    stack.callback(os.close, file)
    return True


def _write(out: Storage, me: Holder) -> None:
    out.write_json(FILE, {**asdict(me), "updated": time.time()}, durable=False)


def _machine() -> str:
    """Identify the boot of this machine and this process namespace (Linux); elsewhere the name of the machine."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - not a path but `pid:[4026531836]`
    except OSError:
        return platform.node()
