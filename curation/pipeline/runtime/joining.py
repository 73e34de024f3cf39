"""What surrounds the start of Ray: an address that leads nowhere is an error within seconds, and C++ code is silent."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from curation.core.errors import ConfigError

ANSWER_SECONDS = 10.0


@contextmanager
def joined(address: str) -> Iterator[None]:
    """The block joins the Ray cluster at this address. Raises ConfigError where there is none."""
    host, _, port = address.rpartition(":")
    try:
        if host and port.isdecimal() and "://" not in address:  # Ray itself would ask for many minutes
            socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWER_SECONDS).close()
        yield
    except (OSError, OverflowError, ValueError) as error:
        reason = str(error).rstrip(".")
        msg = (
            f"no Ray cluster can be joined at engine.address (or RAY_ADDRESS) {address}: {reason}. Correct it, or "
            "leave it out to start Ray on this machine"
        )
        raise ConfigError(msg) from error


@contextmanager
def silenced() -> Iterator[None]:
    """Nothing in the block reaches standard error: Ray's C++ code would write across the progress bars."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a file descriptor is wanted
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
