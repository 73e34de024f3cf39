"""Limits of a container as both versions of control groups state them, in folders that stand for the kernel's."""

import os

import numpy as np
import psutil
import pytest

from curation.core.machine import allowed_cpus, free_memory, give_back_memory
from curation.pipeline.guard.watchdog import private_bytes

GIB = 2**30


def groups(folder, own, files):
    """Write `files` below a root, and the group of this process; returns both paths."""
    for name, text in files.items():
        path = folder / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")
    (folder / "own").write_text(own)
    return folder / "cgroup", folder / "own"


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("0::/\n", {"cpu.max": "100000 100000"}),
        ("0::/box\n", {"box/cpu.max": "max 100000", "cpu.max": "150000 100000"}),
        ("0::/box/inner\n", {"box/inner/cpu.max": "max 100000", "box/cpu.max": "50000 100000"}),
        (
            "4:cpu,cpuacct:/box\n",
            {"cpu,cpuacct/box/cpu.cfs_quota_us": 100000, "cpu,cpuacct/box/cpu.cfs_period_us": 1e5},
        ),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": 170000, "cpu/cpu.cfs_period_us": 100000}),
    ],
)
def test_a_quota_of_cpus_counts_from_the_group_up(tmp_path, own, files):
    files = {name: int(text) if isinstance(text, float) else text for name, text in files.items()}
    assert allowed_cpus(*groups(tmp_path, own, files)) == 1


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("", {}),
        ("0::/\n", {"cpu.max": "max 100000"}),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": -1, "cpu/cpu.cfs_period_us": 100000}),
        ("4:memory:/\n", {"cpu/cpu.cfs_quota_us": 1, "cpu/cpu.cfs_period_us": 100000}),
    ],
)
def test_without_a_quota_all_cpus_of_this_process_count(tmp_path, own, files):
    assert allowed_cpus(*groups(tmp_path, own, files)) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/\n", {"memory.max": GIB // 2, "memory.current": GIB // 4}, GIB // 4),
        ("0::/\n", {"memory.max": GIB // 2, "memory.current": GIB // 2, "memory.stat": "anon 5\ninactive_file 99"}, 99),
        ("4:memory:/box\n", {"memory/memory.limit_in_bytes": 500, "memory/memory.usage_in_bytes": 100}, 400),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": 500, "memory/memory.usage_in_bytes": 900}, 0),
    ],
)
def test_a_limit_on_memory_counts_without_what_is_only_cached(tmp_path, own, files, free):
    assert free_memory(*groups(tmp_path, own, files)) == free


@pytest.mark.parametrize(
    ("own", "files"),
    [
        ("", {}),
        ("0::/\n", {"memory.max": "max", "memory.current": 5}),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": 2**63 - 4096, "memory/memory.usage_in_bytes": 5}),
    ],
)
def test_without_a_limit_the_memory_of_the_machine_counts(tmp_path, own, files):
    available = psutil.virtual_memory().available
    assert free_memory(*groups(tmp_path, own, files)) == pytest.approx(available, rel=0.2)


def test_what_was_freed_is_given_back():
    """glibc keeps it for the next that asks, below what is still in use."""
    blocks = [np.ones(2**13) for _ in range(2000)]  # 64 KiB each, too small for a mapping of its own
    last = blocks[-1]
    blocks.clear()
    before = private_bytes(psutil.Process())
    give_back_memory()
    assert before - private_bytes(psutil.Process()) > 50 * 2**20
    assert last.sum() == 2**13
