"""Runs the tests of one mutant after the other, each in a process of its own that has the large packages already.

    python -m tests.bench.mutation.server      # reads {"files": [...], "seconds": 60} a line, answers a line each

It is started in the copy of the repository that is mutated, and must not import anything of ours itself.
"""

import json
import os
import signal
import sys
import time
from importlib import import_module
from typing import Any

LEFT_OUT = "not ray"
"""Tests that start Ray take too long for each mutant; they say so in their names."""
PACKAGES = (
    "pytest", "hypothesis", "numpy", "scipy.cluster.hierarchy", "pyarrow.dataset", "pyarrow.parquet", "pandas", "av",
    "pydantic", "soundfile", "soxr", "torch", "ctranslate2", "fsspec", "yaml", "psutil", "rapidfuzz", "duckdb",
)  # fmt: skip


def main() -> None:
    """Answer requests until the input ends."""
    sys.dont_write_bytecode = True
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for name in PACKAGES:
        import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), file=answers, flush=True)


def run(files: list[str], seconds: float, log: str) -> dict[str, Any]:
    """Outcome and wall-clock seconds of the tests: `passed`, `failed`, `timeout`, or `error` where none ran."""
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        _test(files, log)
    outcome = None
    while outcome is None:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            outcome = {0: "passed", 1: "failed"}.get(os.waitstatus_to_exitcode(status), "error")
        elif time.monotonic() - start > seconds:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            outcome = "timeout"
        else:
            time.sleep(0.02)
    return {"outcome": outcome, "seconds": time.monotonic() - start}


def _test(files: list[str], log: str) -> None:
    import pytest

    os.setsid()  # with whatever the tests start, it can be ended as one
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(target, 1)
    os.dup2(target, 2)
    try:
        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-k", LEFT_OUT, *files]))
    except BaseException:  # noqa: BLE001 - it must never go on as a second server
        code = 3
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
