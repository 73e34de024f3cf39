"""One build at a time in an output folder: two at once would overwrite each other's plan, attempts and shards.

    with held(out, run="4f2a...", wait_seconds=60) as lock:
        ...
        lock.check()        # LockError where somebody has taken the folder over
        lock.fence()        # the same, asked of the store now: before what cannot be taken back

`lock.json` names the holder and is rewritten every few seconds. It outlives a kill, so that its holder is checked
first: on this machine by whether its process still runs, elsewhere by its heartbeat. What makes it exact:

- On a local folder the kernel's lock (flock), which ends with the process, whatever kills it.
- On S3, Google Cloud Storage and Azure every write of the file is conditional: it is taken, renewed and given back only
  where it still is as this process wrote or read it. Of two builds one fails, however late their requests arrive.
- Elsewhere the later of two writers gets it, after a second in which the other may see that. That is said in a warning:
  requests that arrive later than that let both in.
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
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import psutil

from curation.core.errors import ConfigError, LockError
from curation.core.records import json_bytes
from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError
from curation.core.stores.protocols import check_output

log = logging.getLogger(__name__)

FILE = "lock.json"
HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
"""Without a heartbeat for this long, a holder on another machine may be dead."""
WATCH_SECONDS = 2.5 * HEARTBEAT_SECONDS
"""It is then watched for this long before its lock is taken: its clock may be wrong."""
SETTLE_SECONDS = 1.0
"""Where nothing makes the lock exact, the later of two concurrent writers gets it."""
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
    token: int = 0
    """Larger for each holder, where the lock is exact on an object store."""

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
    version: str | None
    """Of the lock file, as this process last wrote or read it; None where it is not there."""
    conditional: bool = False
    """Whether the store is known to refuse to write the file where it has another version."""
    _lost_to: Holder | None = None
    _renewed: float = 0.0
    _mutex: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Raise LockError where another build has taken the folder over; asks the store where heartbeats failed."""
        if self._lost_to is None and _awake() - self._renewed > 2 * HEARTBEAT_SECONDS:
            self.beat()
        if self._lost_to is not None:
            msg = f"{self.out.root} was taken over by {self._lost_to.describe()}: this build ends here"
            raise LockError(msg)

    def fence(self) -> None:
        """Renew the lock now. Raises LockError where it is not ours any more, however long this process slept."""
        self.beat()
        self.check()

    def beat(self) -> None:
        """Renew the lock, unless it is no longer ours."""
        with self._mutex:
            if self._lost_to is None:
                self._put(replace(self.me, updated=time.time()))

    def release(self) -> None:
        """Give the lock back, where it is still ours."""
        try:
            if self._lost_to is None and self.conditional:
                self._put(replace(self.me, run=""))  # a deletion might come late, and meet another one's lock
            elif _other(self.out, self.me) is None:
                self.out.remove(FILE)
        except OSError as error:
            log.warning("could not give %s/%s back: %s", self.out.root, FILE, error)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Renew the lock during the block, in a thread."""
        thread = threading.Thread(target=self._keep, daemon=True, name="lock")
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _keep(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS) and self._lost_to is None:
            try:
                self.beat()
            except OSError as error:
                log.warning("could not renew %s/%s: %s", self.out.root, FILE, error)

    def take(self) -> Holder | None:
        """Become the holder, or return who was faster."""
        self._put(self.me)
        return self._lost_to

    def _put(self, state: Holder) -> None:
        if not self.conditional and self._renewed:
            self._lost_to = _other(self.out, self.me)
        if self._lost_to is None:
            began = _awake()
            try:
                self.version = self.out.write_if(FILE, json_bytes(asdict(state)), self.version)
            except ChangedError:
                self._lost_to = _other(self.out, self.me) or self.me
            self._renewed = began


@contextmanager
def held(out: Storage, run: str, *, wait_seconds: float = 0.0, force: bool = False) -> Iterator[Lock]:
    """Hold the lock of an output folder. Raises LockError where it is still held after `wait_seconds`, and ConfigError
    for a store that cannot hold a build.

    `force` takes it from whoever has it: that build ends itself at its next step.
    """
    check_output(out.root)
    me = Holder(run, platform.node(), _machine(), os.getpid(), psutil.Process().create_time(), time.time())
    deadline = time.monotonic() + wait_seconds
    with ExitStack() as stack:
        while isinstance(lock := _acquire(out, me, stack, force=force), Holder):
            if time.monotonic() >= deadline:
                msg = (
                    f"another build is using {out.root}: {lock.describe()}. Let it finish, stop it, wait for it with "
                    f"--wait SECONDS, or take the folder from it with --force-unlock"
                )
                raise LockError(msg)
            time.sleep(min(1.0, max(0.0, deadline - time.monotonic())))
        try:
            with lock.kept():
                yield lock
        finally:
            lock.release()


def read_holder(out: Storage) -> Holder | None:
    """The holder in the lock file, dead or alive."""
    return _read(out)[0]


def _read(out: Storage) -> tuple[Holder | None, str | None, int]:
    """The holder, the version of the lock file, and the last token."""
    try:
        content, version = out.read_version(FILE)
        holder = Holder(**json.loads(content))
    except FileNotFoundError:
        return None, None, 0
    except (ValueError, TypeError) as error:
        msg = f"{out.root}/{FILE} is not a lock of this software ({error}): remove it if nothing builds there"
        raise LockError(msg) from error
    return holder if holder.run else None, version, holder.token


def _other(out: Storage, me: Holder) -> Holder | None:
    holder = read_holder(out)
    return holder if holder is not None and holder.run != me.run else None


def _acquire(out: Storage, me: Holder, stack: ExitStack, *, force: bool) -> Lock | Holder:
    """Take the lock, or return its holder."""
    has_kernel_lock = _kernel_lock(out, stack)
    holder, version, token = _read(out)
    if not force:
        if has_kernel_lock is False:
            return holder or Holder("", platform.node(), "", 0, 0.0, time.time())
        if holder is not None and not (holder.is_gone or _is_silent(out, holder)):
            stack.close()
            return holder
    lock = Lock(out, replace(me, token=token + 1, updated=time.time()), version)
    faster = lock.take()
    if faster is None and not has_kernel_lock:
        lock.conditional = out.keeps_conditions(FILE)
        if not lock.conditional:
            log.warning(
                "nothing makes the lock of %s exact: two builds that start there at the same moment may not see each "
                "other, so start one at a time",
                out.root,
            )
            time.sleep(SETTLE_SECONDS)
            faster = _other(out, me)
    if faster is not None and force:  # its heartbeat came in between
        return _acquire(out, me, stack, force=True)
    return faster or lock


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


def _awake() -> float:
    """A clock that no setting changes, and that goes on while the machine sleeps, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _machine() -> str:
    """Identify the boot of this machine and this process namespace (Linux); elsewhere the name of the machine."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - not a path but `pid:[4026531836]`
    except OSError:
        return platform.node()
