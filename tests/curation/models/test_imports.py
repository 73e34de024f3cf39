"""Models from disk and from the web, copied into the store under a pinned name."""

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from curation.core.errors import ModelError
from curation.models import imports as imports_module
from curation.models.imports import import_model
from curation.models.store import identity, is_reference, resolve

CONTENT = b"a model" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "english.zip"
    path.write_bytes(CONTENT)
    return path


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(404 if "missing" in self.path else 200)
        self.send_header("Content-Length", str(len(CONTENT) + (100 if "short" in self.path else 0)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_):
        pass


@contextmanager
def site():
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def stored(store):
    return sorted(path.name for path in store.rglob("*") if path.is_file())


def test_a_file_is_copied_and_pinned(file, store):
    imported = import_model(str(file))
    assert imported.reference == f"store:english.zip#sha256={DIGEST}"
    file.unlink()
    assert resolve(imported.reference).read_bytes() == CONTENT
    assert resolve("store:english.zip") == imported.path
    assert is_reference("store:english.zip")
    assert identity("store:english.zip") == DIGEST
    assert identity(imported.reference) == ""
    imported.path.write_bytes(b"changed")
    with pytest.raises(ModelError, match="is not the file with the SHA-256"):
        resolve(imported.reference)


def test_a_name_is_one_file(file, store):
    import_model(str(file))
    assert import_model(str(file)).sha256 == DIGEST  # again
    file.write_bytes(b"another")
    with pytest.raises(ModelError, match=r"another file of that name.*--name"):
        import_model(str(file))
    assert resolve("store:english.zip").read_bytes() == CONTENT
    import_model(str(file), name="english-2.zip")
    assert stored(store) == ["english-2.zip", "english.zip"]


@pytest.mark.parametrize("name", ["..", "../evil", "a/b", ".hidden", "a b", "/etc/passwd"])
def test_no_name_leads_out_of_the_store(file, store, name):
    with pytest.raises(ModelError, match="cannot be the name of a model"):
        import_model(str(file), name=name)
    with pytest.raises(ModelError, match="cannot be the name of a model"):
        resolve(f"store:{name}")
    assert stored(store) == []


def test_the_wrong_file_is_not_imported(file, store):
    with pytest.raises(ModelError, match=f"has SHA-256 {DIGEST}, not {'0' * 64}: nothing was imported"):
        import_model(str(file), sha256="0" * 64)
    with pytest.raises(ModelError, match=r"nowhere\.zip cannot be imported"):
        import_model(str(file.with_name("nowhere.zip")))
    with pytest.raises(ModelError, match=r"store:nothing\.zip .*curation models import"):
        resolve("store:nothing.zip")
    assert stored(store) == []


def test_from_the_web_with_a_pin(store):
    with site() as url:
        assert import_model(f"{url}/a/english%2Dus.zip?raw=1", sha256=DIGEST.upper()).name == "english-us.zip"
        assert import_model(f"{url}/to/{url}/model.zip", sha256=DIGEST).name == "model.zip"
        for broken in ("missing.zip", "short.zip"):
            with pytest.raises(ModelError, match=r"cannot be imported|has SHA-256"):
                import_model(f"{url}/{broken}", sha256="0" * 64)
    assert stored(store) == ["english-us.zip", "model.zip"]


def test_schemes_that_are_not_to_be_trusted(file, store):
    with site() as url:
        with pytest.raises(ModelError, match="not imported over http: give its SHA-256"):
            import_model(f"{url}/model.zip")
        with pytest.raises(ModelError, match="not imported over file: give a path or an https URL"):
            import_model(f"file://{file}", sha256=DIGEST)
        with pytest.raises(ModelError, match="not imported over ftp"):
            import_model(f"{url}/to/ftp://127.0.0.1/model.zip", sha256=DIGEST)
        with pytest.raises(ModelError, match=r"not imported over file|not allowed"):
            import_model(f"{url}/to/file://{file}", sha256=DIGEST)
    assert stored(store) == []


def test_a_file_without_end_is_stopped(store, monkeypatch):
    monkeypatch.setattr(imports_module, "MAX_BYTES", 2**20)
    with pytest.raises(ModelError, match=r"/dev/zero has more than"):
        import_model("/dev/zero")
    assert stored(store) == []
