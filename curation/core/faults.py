"""The kinds of faults of a build, each with its own treatment.

media       a recording that cannot be used: it is `failed`, and everything else goes on
model       an ASR system or a stage that raises: the utterance is `failed`, and the build stops where most are
            (`pipeline.guard.breaker`)
storage     a store that does not answer, or is too busy: tried again for a minute, then the build stops, and nothing
            is committed as failed for it; at once where waiting does not help (credentials)
software    everything else: the recording is `failed`, with the traceback in the log

    content = persistently(lambda: file.read(), "s3://bucket/corpus")
"""

import errno
import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from curation.core.errors import StorageError, UserError

log = logging.getLogger(__name__)

Result = TypeVar("Result")

DELAYS = (0.2, 1.0, 3.0, 8.0, 20.0, 30.0)
"""Seconds between the tries of something that the storage refuses, give or take a half."""
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
_OBJECT_STORES = frozenset({"botocore", "aiobotocore", "gcsfs", "google", "azure"})
_BUSY = frozenset({429, 503})
_NOT_IMPLEMENTED = 501
_PASSING_STATUS = frozenset({408, 409, 429})
_PASSING_CODES = frozenset({"RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "Throttling"})
"""What S3 answers with status 400 where a request did not arrive whole, or came too soon."""
_LASTING_CODES = frozenset(
    {
        *("ExpiredToken", "InvalidToken", "TokenRefreshRequired", "InvalidAccessKeyId", "SignatureDoesNotMatch"),
        *("RequestTimeTooSkewed", "AccountProblem", "NotSignedUp", "AllAccessDisabled", "NoSuchBucket", "400"),
    }
)
"""What S3 answers to every request, until somebody mends the settings (400: to one that gets no explanation)."""
_LASTING_NAMES = ("Credential", "Profile", "Region", "ParamValidation", "Config", "InvalidURL", "Endpoint")
"""Parts of the names of errors of a client that never asked the store."""


def is_storage_fault(error: BaseException) -> bool:
    """Whether an error says that the store is at fault, not the file that was asked for."""
    if isinstance(error, StorageError | ConnectionError | TimeoutError):
        return True
    if isinstance(error, UserError) or _package(error) == "av":  # FFmpeg uses the same numbers for damaged media
        return False
    for told in (error.__cause__, error):  # file systems translate what their client says
        if told is not None and _package(told) in _CLIENTS:
            status = status_of(told)
            passes = status is None or status >= 500 or status in _PASSING_STATUS or _code(told) in _PASSING_CODES
            passes = passes and status != _NOT_IMPLEMENTED
            return passes or is_lasting(told)
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError | NotADirectoryError):
        return False
    return isinstance(error, OSError) and error.errno in _CODES


def is_busy(error: BaseException) -> bool:
    """Whether an object store says that it gets too many requests: whatever was asked for, it is not at fault."""
    told = [one for one in (error.__cause__, error) if one is not None and _package(one) in _OBJECT_STORES]
    return any(status_of(one) in _BUSY for one in told)


def is_lasting(error: BaseException) -> bool:
    """Whether a fault of the storage is one that waiting does not mend: credentials, settings, no such bucket."""
    told = [one for one in (error.__cause__, error) if one is not None and _package(one) in _CLIENTS]
    return any(_code(one) in _LASTING_CODES for one in told) or any(
        status_of(one) is None and name != "EndpointConnectionError" and any(part in name for part in _LASTING_NAMES)
        for one in told
        for name in [type(one).__name__]
    )


def retried(
    action: Callable[[], Result],
    delays: Sequence[float],
    before: Callable[[BaseException], object],
    while_it: Callable[[BaseException], bool] = is_storage_fault,
) -> Result:
    """What `action` gives, tried again after so many seconds while the storage is at fault; `before` is called first.

    Raises the error of the last try, or what `before` raises.
    """
    for delay in delays:
        try:
            return action()
        except Exception as error:
            if isinstance(error, StorageError) or not while_it(error):
                raise
            before(error)
        time.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - many workers are refused at the same time
    return action()


def persistently(
    action: Callable[[], Result], where: str, while_it: Callable[[BaseException], bool] = is_storage_fault
) -> Result:
    """What `action` gives, tried again while the storage is at fault. Raises StorageError, which names `where`."""

    def told(error: BaseException) -> None:
        if is_lasting(error):
            raise unreachable(where, error) from error
        log.warning("%s: %s: %s; trying again", where, type(error).__name__, error)

    try:
        return retried(action, DELAYS, told, while_it)
    except Exception as error:
        if isinstance(error, StorageError) or not while_it(error):
            raise
        raise unreachable(where, error) from error


def unreachable(where: str, error: BaseException) -> StorageError:
    """The error that ends a build."""
    msg = (
        f"{where} cannot be read or written ({type(error).__name__}: {error}): see to the storage, and run the same "
        f"command again; nothing is lost"
    )
    return StorageError(msg)


def status_of(error: Any) -> int | None:
    """The status of HTTP of a client's error; None where there was no answer at all."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):  # botocore's
        return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) or None
    for holder in (error, answer):
        for name in ("status", "status_code", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int):
                return value
    return None


def _code(error: Any) -> str:
    answer = getattr(error, "response", None)
    return str(answer.get("Error", {}).get("Code", "")) if isinstance(answer, dict) else ""


def _package(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]
