"""A command of curation in a process of its own, and what it took: CPU seconds and the memory at its peak.

`ru_maxrss` of a child begins at what its parent had before it; so the process reads its own peak, when it ends.
"""

import atexit
import json
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.bench.living.peak import peak_mib


@dataclass(frozen=True)
class Measured:
    """What a command has said and taken, with the start of Python and of its packages."""

    said: str
    seconds: float
    cpu: float
    gib: float

    def __str__(self) -> str:
        return f"{self.seconds:>6.1f} s {self.cpu:>6.1f} CPU s, peak {self.gib:.2f} GiB"


def measured(*arguments: str) -> Measured:
    """Run `curation` with these arguments. Raises CalledProcessError where it fails."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "tests.bench.audit.measured", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    took = json.loads(done.stderr.splitlines()[-1])
    return Measured(done.stdout, time.perf_counter() - start, took["cpu"], took["mib"] / 1024)


def _tell() -> None:
    print(json.dumps({"cpu": time.process_time(), "mib": peak_mib()}), file=sys.stderr)


if __name__ == "__main__":
    atexit.register(_tell)
    from curation.cli import app

    app(prog_name="curation")
