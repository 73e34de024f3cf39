"""The plan of the house: imports only go down, every file is in the graph that says so, and no room is crowded."""

import ast
import os
import re
from pathlib import Path

import pytest
from grimp import build_graph
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
FOLDERS = ["curation", "stages", "manifests", "tokenize", "train"]
MODULES = sorted(
    path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py") if path == path.resolve()
)  # not a second time through the links in curation/
MAX_MODULES, MAX_LINES, MAX_FUNCTION_LINES = 16, 300, 60
# Of a function the lines after its signature count: the options of a command are one each.


def dotted(path):
    """Import name of a file."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "curation" else ["curation", *parts])


@pytest.fixture(scope="module")
def graph():
    return build_graph("curation", "curation.tokenize", cache_dir=None)


def test_import_contracts_hold(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    status = lint_imports(no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


def test_every_file_is_in_the_graph(graph):
    # The package without __init__.py is silently left out where its name is not given.
    assert {dotted(path) for path in MODULES} <= graph.modules
    assert "curation.tokenize.vocabulary" in graph.modules


def test_the_graph_sees_lazy_imports_and_links(graph):
    assert "curation.core.errors" in graph.find_modules_directly_imported_by("curation.stages.transcribe.base")
    assert len(graph.modules) > 200


IMPORTS_BY_NAME = {
    "curation": "loads the names of the Python API when they are used",
    "curation.core.plugins": "finds adapters in folders and entry points",
    "curation.models.torch_compat": "imports torchaudio behind a stand-in",
    "curation.stages.diarize.pyannote.pretrained": "imports the classes of pyannote that a pipeline may name",
}


def test_no_import_by_name_hides_from_the_contracts():
    users = {
        dotted(path)
        for path in MODULES
        if re.search("import_module|__import__", text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Name) and node.id in {"import_module", "__import__"})
        or (isinstance(node, ast.Attribute) and node.attr == "import_module")
    }
    assert users == set(IMPORTS_BY_NAME)


@pytest.mark.parametrize("folder", sorted({path.parent.relative_to(ROOT) for path in MODULES}, key=str), ids=str)
def test_no_folder_is_crowded(folder):
    modules = [path for path in (ROOT / folder).glob("*.py") if path.name not in {"__init__.py", "__main__.py"}]
    assert len(modules) <= MAX_MODULES


def test_no_folder_of_tests_is_crowded():
    for folder, _, names in os.walk(ROOT / "tests"):
        assert len([name for name in names if name.endswith(".py")]) <= MAX_MODULES + 1, folder


def test_no_file_and_no_function_holds_two_ideas():
    long_files = [dotted(path) for path in MODULES if len(path.read_text().splitlines()) > MAX_LINES]
    long_functions = [
        f"{dotted(path)}:{node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.body[0].lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert long_files == []
    assert long_functions == []
