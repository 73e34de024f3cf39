"""The model store: references, checksums, and what is said when something is missing."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from curation.core.errors import ModelError
from curation.models import store as models
from curation.models.catalogue import CatalogueEntry, ModelFile, catalogue
from curation.models.store import at_commit, identity, resolve, verify


@pytest.fixture
def empty_store(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_every_entry_is_pinned_or_comes_with_a_package():
    for entry in catalogue().values():
        assert entry.licence
        assert entry.folder or all(len(file.sha256) == 64 for file in entry.files)
        assert bool(entry.folder) == bool(entry.package)


def test_stored_models_are_as_pinned():
    assert [problem for name in catalogue() for problem in verify(name)] == []


def test_a_tampered_model_is_found(empty_store):
    target = empty_store / "campplus/campplus_cn_en_common.pt"
    target.parent.mkdir(parents=True)
    target.write_bytes(b"something else")
    (problem,) = verify("campplus")
    assert "SHA-256" in problem


def test_missing_models_name_the_command(empty_store):
    with pytest.raises(ModelError, match="curation models fetch whisper-base"):
        resolve("whisper-base", fetch=False)
    assert "curation models fetch" in verify("whisper-base")[0]


def test_wrong_bytes_are_never_stored(empty_store, tmp_path):
    (tmp_path / "part").write_bytes(b"x")
    file = ModelFile("model.bin", [f"path:{tmp_path / 'part'}"], sha256="0" * 64)
    with pytest.raises(ModelError, match="not the pinned"):
        models._assemble(file, empty_store / "model.bin", "name")
    assert not (empty_store / "model.bin").exists()


def test_several_workers_fetch_a_model_at_the_same_time(empty_store):
    """The first to end removed the part that the others were reading."""
    resolve("pypi:six==1.16.0:six.py")
    content = resolve("pypi:six==1.16.0:six.py").read_bytes()
    file = ModelFile("six.py", ["pypi:six==1.16.0:six.py"], hashlib.sha256(content).hexdigest())
    entry = CatalogueEntry("six", "", "MIT", [file])
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: models._resolve_entry(entry, fetch=True), range(4)))
    assert {(folder / "six.py").read_bytes() for folder in folders} == {content}


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("nonsense", "unknown model 'nonsense'"),
        ("path:/does/not/exist", "does not exist"),
        ("pkg:no_such_module:x", "not installed"),
        ("pkg:yaml:no_such_member", "does not exist"),
        ("pypi:whisperx:file", "expected pypi:PACKAGE==VERSION:MEMBER"),
    ],
)
def test_bad_references_are_explained(empty_store, reference, message):
    with pytest.raises(ModelError, match=message):
        resolve(reference)


def test_a_member_is_taken_out_of_a_wheel(empty_store):
    path = resolve("pypi:six==1.16.0:six.py")
    assert b"Python 2 and 3" in path.read_bytes()
    with pytest.raises(ModelError, match=r"holds no nothing\.py"):
        resolve("pypi:six==1.16.0:nothing.py")


def test_the_identity_of_a_model_is_that_of_its_content(tmp_path):
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/a.bin").write_bytes(b"1")
    first = identity(f"path:{folder}")
    assert first == identity(f"path:{folder}")
    (folder / "deep/a.bin").rename(folder / "b.bin")
    moved = identity(f"path:{folder}")
    (folder / "b.bin").write_bytes(b"2")
    assert len({first, moved, identity(f"path:{folder}")}) == 3
    assert identity(f"path:{folder}/b.bin") == hashlib.sha256(b"2").hexdigest()


@pytest.mark.parametrize("name", ["whisper-base", "path:/no/such", "hf:some/model@1234", "hf:not/here", "pypi:x==1:y"])
def test_what_is_pinned_or_absent_has_no_identity(name):
    assert identity(name) == ""


@pytest.fixture
def hub_cache(tmp_path, monkeypatch):
    """The cache of huggingface_hub with one repository, of which `main` is a commit; the hub does not answer."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--some--model"
    for folder, file, content in (("refs", "main", "a" * 40), (f"snapshots/{'a' * 40}", "config.json", "{}")):
        (repository / folder).mkdir(parents=True)
        (repository / folder / file).write_text(content)


@pytest.mark.parametrize("name", ["hf:some/model", "hf:some/model@main", f"hf:some/model@{'a' * 40}"])
def test_a_model_of_the_hub_gets_the_commit_that_is_here(hub_cache, name):
    assert at_commit(name) == f"hf:some/model@{'a' * 40}"


@pytest.mark.parametrize("name", ["hf:some/model@v2", "hf:other/model", f"hf:other/model@{'b' * 40}"])
def test_a_commit_that_nobody_knows_is_left_open(hub_cache, name):
    assert at_commit(name) == name
