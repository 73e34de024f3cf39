"""The kinds of faults of a build, each with its own treatment.

media       a recording that cannot be used: it is `failed`, and everything else goes on
model       an ASR system or a stage that raises: the utterance is `failed`, and the build stops where most are
            (`pipeline.guard.breaker`)
storage     a store that does not answer: tried again for a minute, then the build stops, and nothing is committed as
            failed for it
software    everything else: the recording is `failed`, with the traceback in the log

    content = persistently(lambda: file.read(), "s3://bucket/corpus")
"""

import errno
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from curation.core.errors import StorageError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DELAYS = (0.2, 1.0, 3.0, 8.0, 20.0, 30.0)
"""Seconds between the tries of something that the storage refuses."""
_CODES = frozenset(
    code
    for name in (
        *("EIO", "ESTALE", "ETIMEDOUT", "EBUSY", "EAGAIN", "ENOTCONN", "ECONNRESET", "ECONNREFUSED", "ECONNABORTED"),
        *("EPIPE", "EHOSTUNREACH", "EHOSTDOWN", "ENETUNREACH", "ENETDOWN", "ENETRESET"),
        *("EREMOTEIO", "ENODEV", "ENXIO", "EMFILE", "ENFILE"),
    )
    if (code := getattr(errno, name, None)) is not None
)
_CLIENTS = ("botocore", "aiobotocore", "boto3", "s3fs", "aiohttp", "urllib3", "requests", "gcsfs", "google", "azure")
"""Packages that talk to stores; their errors are not all of a kind that Python knows."""
_THROTTLED = 429


def is_storage_fault(error: BaseException) -> bool:
    """Whether an error says that the store is at fault, not the file that was asked for."""
    if isinstance(error, StorageError | ConnectionError | TimeoutError):
        return True
    if type(error).__module__.partition(".")[0] == "av":  # FFmpeg uses the same numbers for damaged media
        return False
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return False
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in _CODES
    if type(error).__module__.partition(".")[0] in _CLIENTS:
        status = _status(error)
        return status is None or status >= 500 or status == _THROTTLED
    return False


def persistently(action: Callable[[], Result], where: str) -> Result:
    """What `action` gives, tried again while the storage is at fault. Raises StorageError, which names `where`."""
    for delay in (*DELAYS, None):
        try:
            return action()
        except Exception as error:
            if isinstance(error, StorageError) or not is_storage_fault(error):
                raise
            if delay is None:
                raise unreachable(where, error) from error
            log.warning("%s: %s: %s; trying again in %g s", where, type(error).__name__, error, delay)
            time.sleep(delay)
    raise AssertionError  # not reached


def unreachable(where: str, error: BaseException) -> StorageError:
    """The error that ends a build."""
    msg = (
        f"{where} cannot be read or written ({type(error).__name__}: {error}): see to the storage, and run the same "
        f"command again; nothing is lost"
    )
    return StorageError(msg)


def _status(error: Any) -> int | None:
    """Of HTTP; None where there was no answer at all."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore's
        return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) or None
    for holder in (error, answer):
        for name in ("status", "status_code", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return value
    return None
