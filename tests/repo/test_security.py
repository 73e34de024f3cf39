"""Files of strangers: checkpoints, manifests, archives. And that the code keeps to the safe ways of reading them."""

import ast
import json
from pathlib import Path

import pytest

from curation.core.errors import ConfigError, ModelError
from curation.core.storage import Storage
from curation.manifests.inputs.listing import Listing, list_inputs
from curation.models.store import resolve
from curation.tokenize.files import read_tensors
from tests.support import bombs

ROOT = Path(__file__).parents[2]
FOLDERS = ("curation", "stages", "manifests", "tokenize", "train")
SOURCES = sorted({path.resolve() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")})
OWN_ROWS = {f"curation/pipeline/runtime/{name}.py" for name in ("ray", "transfer", "work")}
"""Pickles that a run sends to its own workers; they are never written to disk or read from it."""
pytestmark = pytest.mark.filterwarnings("ignore:Detected pickle protocol")


@pytest.mark.parametrize("kind", bombs.KINDS)
def test_tokenizer_checkpoints_run_no_code(tmp_path, kind):
    path = bombs.plant(tmp_path / "pytorch_model.bin", tmp_path / "harm", kind)
    with pytest.raises(ValueError, match=r"pytorch_model\.bin.*more than tensors"):
        read_tensors(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("kind", bombs.KINDS)
def test_the_speaker_encoder_runs_no_code(tmp_path, kind):
    from curation.stages.diarize.campplus.network import CamPlusPlus

    path = bombs.plant(tmp_path / "campplus.pt", tmp_path / "harm", kind)
    with pytest.raises(ModelError, match=r"campplus\.pt"):
        CamPlusPlus.load(path)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("identifier", ["../evil", "/etc/evil", "a/b", "..", ".", "a\\b", "a\0b", "x" * 300, "a\nb"])
def test_ids_of_a_manifest_cannot_be_paths(tmp_path, identifier):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": "a.wav", "id": identifier}))
    with pytest.raises(ConfigError, match=r"row 1.*id"):
        list_inputs([str(tmp_path / "m.jsonl")])


@pytest.mark.parametrize("path", ["../../a.wav", "/x/../../a.wav", "s3://bucket/../a b.wav", "..", "a/\n.wav"])
def test_ids_made_of_paths_are_plain_names(tmp_path, path):
    (tmp_path / "m.jsonl").write_text(json.dumps({"path": path}))
    (item,) = Listing([str(tmp_path / "m.jsonl")], allow=["/", "s3://bucket"]).distinct()
    assert item.source.id.replace("-", "").isalnum()


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a//x", ".."])
def test_no_name_leaves_the_output_folder(tmp_path, name):
    storage = Storage(str(tmp_path / "out"))
    with pytest.raises(ValueError, match="would leave the output folder"):
        storage.write_bytes(name, b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "reference",
    [
        "pypi:--index-url=x==1:a",
        "pypi:-r x==1:a",
        "pypi:../six==1.16.0:six.py",
        "pypi:six @ file:///x==1:a",
        "pypi:six==1.16.0:..",
        "pypi:six==../..:six.py",
    ],
)
def test_references_to_wheels_are_a_name_and_a_version(tmp_path, monkeypatch, reference):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="expected pypi:PACKAGE==VERSION:MEMBER"):
        resolve(reference)


def calls(path: Path):
    """(dotted name, keywords) of each call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            keywords = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
            yield ast.unparse(node.func), keywords, node.lineno


def unsafe(name: str, keywords: dict, file: str) -> bool:
    """Whether a call may run what a file says."""
    if name in {"pickle.load", "pickle.loads"}:
        return file not in OWN_ROWS
    if name == "torch.load":
        return keywords.get("weights_only") is not True and file != "curation/models/safe_load.py"
    return (
        name in {"eval", "exec", "yaml.load", "yaml.unsafe_load", "joblib.load", "dill.load", "dill.loads"}
        or name.rpartition(".")[2] in {"extractall", "unpack_archive"}
        or bool(keywords.get("allow_pickle") is True and name.rpartition(".")[2] == "load")
        or keywords.get("shell") is True
        or keywords.get("trust_remote_code") not in {None, False}
    )


def test_the_code_reads_nothing_in_a_way_that_runs_code():
    assert len(SOURCES) > 90
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in SOURCES
        for name, keywords, line in calls(path)
        if unsafe(name, keywords, str(path.relative_to(ROOT)))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "pickle.loads(x)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text, Loader=yaml.Loader)",
        "archive.extractall(folder)",
        "shutil.unpack_archive(path)",
        "subprocess.run(x, shell=True)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)",
    ],
)
def test_the_search_finds_them(tmp_path, code):
    (tmp_path / "x.py").write_text(code)
    ((name, keywords, _),) = calls(tmp_path / "x.py")
    assert unsafe(name, keywords, "stages/x.py")
