"""Which errors are faults of the storage, and that these are tried again."""

import errno

import pytest

from curation.core import faults
from curation.core.errors import ConfigError, StorageError, UserError
from curation.core.faults import is_busy, is_storage_fault, persistently


class ClientError(Exception):
    """As botocore's, which is not needed here."""

    def __init__(self, status, code=""):
        super().__init__(f"{status} {code}")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}, "Error": {"Code": code}}


class NoCredentialsError(Exception):
    pass


class ReadTimeoutError(Exception):
    pass


for kind in (ClientError, NoCredentialsError, ReadTimeoutError):
    kind.__module__ = "botocore.exceptions"


def translated(error, cause):
    """As s3fs tells what botocore told."""
    error.__cause__ = cause
    return error


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(faults, "DELAYS", (0.0, 0.0))


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("gone"),
        TimeoutError("slow"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        ClientError(503),
        ClientError(429),
        ClientError(409, "ConditionalRequestConflict"),
        ClientError(400, "RequestTimeout"),
        ReadTimeoutError("slow"),
        translated(OSError(errno.EBUSY, "busy"), ClientError(503, "SlowDown")),
        translated(OSError(errno.EINVAL, "incomplete"), ClientError(400, "IncompleteBody")),
        translated(PermissionError("expired"), ClientError(400, "ExpiredToken")),
        NoCredentialsError("none"),
        StorageError("away"),
    ],
    ids=str,
)
def test_faults_of_the_storage(error):
    assert is_storage_fault(error)


@pytest.mark.parametrize(
    "error",
    [
        FileNotFoundError(errno.ENOENT, "absent"),
        PermissionError(errno.EACCES, "forbidden"),
        ClientError(404),
        ClientError(403),
        translated(OSError(errno.EIO, "no such tag"), ClientError(404, "NoSuchTagSet")),
        translated(OSError(errno.EINVAL, "range"), ClientError(416, "InvalidRange")),
        translated(PermissionError("forbidden"), ClientError(403, "AccessDenied")),
        translated(ConfigError("yours"), ClientError(503)),
        ValueError("damaged"),
        RuntimeError("CUDA out of memory"),
        OSError("a sentence without a number"),
        UserError("yours"),
    ],
    ids=str,
)
def test_other_faults(error):
    assert not is_storage_fault(error)


def test_damaged_media_are_no_fault_of_the_storage():
    import av

    assert not is_storage_fault(av.error.OSError(errno.EIO, "Input/output error"))


class Failing:
    """Raises the errors one after the other, then gives 7."""

    def __init__(self, *errors):
        self.errors, self.calls = list(errors), 0

    def __call__(self):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


def test_what_passes_is_tried_again():
    action = Failing(ConnectionError("one"), OSError(errno.EIO, "two"))
    assert (persistently(action, "s3://x"), action.calls) == (7, 3)


def test_what_does_not_pass_ends_with_the_place_and_the_remedy():
    with pytest.raises(
        StorageError, match=r"s3://x cannot be read or written .*three.* run the same command again"
    ) as it:
        persistently(Failing(*map(ConnectionError, ("one", "two", "three", "four"))), "s3://x")
    assert it.value.exit_code == 4


@pytest.mark.parametrize(
    "error", [ValueError("no"), FileNotFoundError("absent"), OSError(errno.ENOSPC, "No space left on device")], ids=str
)
def test_other_errors_are_raised_at_once(error):
    action = Failing(error)
    with pytest.raises(type(error)):
        persistently(action, "x")
    assert action.calls == 1


def test_a_busy_store_is_told_from_a_file_at_fault():
    assert is_busy(translated(OSError(errno.EBUSY, "busy"), ClientError(503, "SlowDown")))
    assert is_busy(ClientError(429))
    assert not is_busy(ClientError(500, "InternalError"))
    assert not is_busy(OSError(errno.EIO, "Input/output error"))


@pytest.mark.parametrize(
    "error", [NoCredentialsError("none"), translated(PermissionError("old"), ClientError(400, "ExpiredToken"))], ids=str
)
def test_what_waiting_does_not_mend_ends_at_once(error):
    action = Failing(error)
    with pytest.raises(StorageError, match=r"s3://x cannot be read or written"):
        persistently(action, "s3://x")
    assert action.calls == 1
