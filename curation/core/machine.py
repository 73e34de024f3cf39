"""What this process may use of its machine: the limits of its container (Linux cgroups, v1 and v2) count.

    allowed_cpus(), free_memory()
    with locked(path): ...      # what only one process of the machine may do at a time

`os.cpu_count` and `psutil` report the whole machine, on which a container may have a share only.
"""

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
UNLIMITED = 2**60
"""Version 1 writes a number of this size where there is no limit on memory."""


def allowed_cpus(root: Path = CGROUPS, own: Path = OWN) -> int:
    """CPUs that this process may keep busy: those of the machine, of its affinity, or of its quota; at least 1."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else UNLIMITED
    limits = [float(os.cpu_count() or 1), float(affinity)]
    for folder in _folders("cpu", root, own):
        quota, _, period = (_read(folder / "cpu.max") or "").partition(" ")
        quota = quota or _read(folder / "cpu.cfs_quota_us") or ""
        period = period or _read(folder / "cpu.cfs_period_us") or ""
        if quota.isdecimal() and period.isdecimal() and int(period):  # else "max", or -1: no limit
            limits.append(int(quota) / int(period))
    return max(1, int(min(limits)))


def free_memory(root: Path = CGROUPS, own: Path = OWN) -> int:
    """Bytes of main memory that are available to this process: of the machine, or within its container's limit."""
    free = [psutil.virtual_memory().available]
    for folder in _folders("memory", root, own):
        limit = _read(folder / "memory.max") or _read(folder / "memory.limit_in_bytes") or ""
        used = _read(folder / "memory.current") or _read(folder / "memory.usage_in_bytes") or ""
        if limit.isdecimal() and used.isdecimal() and int(limit) < UNLIMITED:
            free.append(max(0, int(limit) - int(used) + _cached(folder)))
    return min(free)


def _cached(folder: Path) -> int:
    """Bytes of files that the kernel holds in memory and gives up when they are needed."""
    lines = (line.split() for line in (_read(folder / "memory.stat") or "").splitlines())
    values = {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdecimal()}
    return values.get("total_inactive_file", values.get("inactive_file", 0))


def _folders(controller: str, root: Path, own: Path) -> Iterator[Path]:
    """The control group of this process and all above it, each of which may have a limit."""
    for line in (_read(own) or "").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        names = controllers.split(",")
        if number == "0" and not controllers:
            top = root
        elif controller in names:
            top = next((root / name for name in (controllers, controller) if (root / name).is_dir()), root / controller)
        else:
            continue
        group = top / path.strip("/")
        yield group
        yield from (folder for folder in group.parents if folder.is_relative_to(top))


def _read(file: Path) -> str | None:
    """The text of a file of the kernel; None where there is none, as on other systems."""
    try:
        return file.read_text().strip()
    except OSError:
        return None


def give_back_memory() -> None:
    """Return free heap to the system. glibc keeps what C code has freed: 0.35 GiB after a diarization with torch."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock of this machine; it is released when the process ends, even if killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
