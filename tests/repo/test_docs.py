"""The README and the documentation say what is there: commands, options, settings, modules, functions, files, links."""

import ast
import importlib
import itertools
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from curation.pipeline.assemble import REGISTRIES
from curation.pipeline.config import BuildConfig, load_config
from curation.stages.registry import ordered_stages
from curation.train.config import TrainConfig, load_training_config

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in [*GUIDES, *PAGES]}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOLDERS = "curation|stages|manifests|tokenize|train|tests|docs|docker"

everywhere = pytest.mark.parametrize("name", TEXTS)


def blocks(text, *languages):
    return [body for language, body in FENCE.findall(text) if language in languages]


def spans(text):
    """Inline code, outside of fenced blocks."""
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", FENCE.sub("", text))]


def calls(text):
    """Every call of the command line in blocks and inline code, as words after `curation`."""
    lines = [
        line.removeprefix("$ ").strip()
        for body in blocks(text, "", "sh", "bash")
        for line in body.replace("\\\n", " ").splitlines()
    ]
    for line in [*lines, *spans(text)]:
        found = re.search(r"(?:^|-m |-- +)curation +(?=[a-z])(.*)", line)
        if found:
            yield shlex.split(found[1], comments=True)


def test_the_checks_find_something_to_check():
    assert sum(len(list(calls(text))) for text in TEXTS.values()) > 60
    assert sum("curation" in body for text in TEXTS.values() for body in blocks(text, "python")) >= 5
    assert sum(len(blocks(text, "yaml")) for text in TEXTS.values()) >= 4


def test_type_information_is_shipped():
    assert (ROOT / "curation/py.typed").is_file()
    assert '"py.typed"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_readme_is_a_page():
    assert len(TEXTS["README.md"].splitlines()) <= 120


@everywhere
def test_commands_and_options_exist(name, commands):
    for words in calls(TEXTS[name]):
        path = next((tuple(words[:size]) for size in (2, 1) if tuple(words[:size]) in commands), None)
        is_group = len(words) == 1 and any(known[0] == words[0] for known in commands)
        assert path or is_group, f"no command `curation {' '.join(words)}`"
        options = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert options <= commands.get(path, set()) | {"--help"}, words


@everywhere
def test_settings_of_commands_are_accepted(name):
    for words in calls(TEXTS[name]):
        overrides = [value for option, value in itertools.pairwise(words) if option in {"--set", "-s"}]
        load = load_training_config if words[0] in {"train", "posttrain"} else load_config
        load(overrides=overrides)


@everywhere
def test_yaml_examples_are_accepted(name, tmp_path):
    if name == "docs/how-to/plug-ins.md":
        return  # see test_docs_plug_in.py
    for number, text in enumerate(blocks(TEXTS[name], "yaml")):
        sections = set(yaml.safe_load(text))
        file = tmp_path / f"{number}.yaml"
        file.write_text(text, encoding="utf-8")
        if sections <= {"preset", *BuildConfig.model_fields}:
            load_config(file)
        else:
            assert sections <= set(TrainConfig.model_fields), sections
            load_training_config(file)


@everywhere
def test_settings_in_prose_exist(name):
    """`section.key` in inline code, where `section` is one of a configuration."""
    models = (BuildConfig, TrainConfig)
    named = [key for model in models for key in model.model_fields]
    for span in spans(TEXTS[name]):
        found = re.fullmatch(rf"({'|'.join(named)})\.([a-z_0-9]+)[^ ]*", span.partition("=")[0].partition(":")[0])
        if found and not found[0].endswith(".py") and found[0] not in SCORES_AND_NOTES:
            fields = {key for model in models for key in section_fields(model, found[1])}
            assert found[2] in fields, span


SCORES_AND_NOTES = {item.name for stage in ordered_stages() for item in (*stage.scores, *stage.notes)}


def section_fields(model, section):
    annotation = model.model_fields[section].annotation if section in model.model_fields else None
    options = [annotation, *getattr(annotation, "__args__", ())]
    return [key for option in options for key in getattr(option, "model_fields", {})]


@everywhere
def test_python_examples_import_what_is_there(name):
    for text in blocks(TEXTS[name], "python"):
        if text.startswith("--8<--"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("curation"):
                module = importlib.import_module(node.module)
                assert all(hasattr(module, alias.name) for alias in node.names), node.module


@everywhere
def test_modules_exist(name):
    text = TEXTS[name]
    for module in re.findall(r"-m ((?:curation|tests)[\w.]*)", text):
        place = ROOT / module.replace(".", "/")
        assert place.with_suffix(".py").is_file() or (place / "__main__.py").is_file(), module
    for dotted in re.findall(r"^::: (\S+)", text, re.MULTILINE):
        assert (ROOT / dotted.replace(".", "/")).with_suffix(".py").is_file(), dotted
    for span in spans(text):
        if re.fullmatch(r"(curation|tests)(\.[a-z_0-9]+)+", span) and span not in ENTRY_POINTS:
            assert (ROOT / span.replace(".", "/")).is_dir() or importable(span), span


ENTRY_POINTS = {registry.group for registry in REGISTRIES}
"""Groups of entry points look like modules."""


def importable(dotted):
    module, _, attribute = dotted.rpartition(".")
    if (ROOT / dotted.replace(".", "/")).with_suffix(".py").is_file():
        return True
    return hasattr(importlib.import_module(module), attribute)


def test_every_group_of_entry_points_is_on_the_page_of_plug_ins():
    assert all(f"`{group}`" in TEXTS["docs/how-to/plug-ins.md"] for group in ENTRY_POINTS)


WALKS = ["docs/concepts/from-recording-to-shard.md", "docs/concepts/from-shard-to-batch.md"]


@pytest.mark.parametrize("name", WALKS)
def test_functions_of_the_walks_are_in_their_files(name):
    steps = re.findall(r"^\| (\d+) \| (.*) \| `([^`]+)` \|$", TEXTS[name], re.MULTILINE)
    assert [int(number) for number, _, _ in steps] == list(range(1, len(steps) + 1))
    for _, functions, path in steps:
        known = functions_of(ROOT / path)
        for function in re.findall(r"`([^`]+)`", functions.partition(" (")[0]):
            assert function in known, f"{path}: {function}"


@pytest.mark.parametrize("name", WALKS)
def test_lists_of_the_walks_have_as_many_names_as_they_say_and_those_of_today_are_in_the_code(name):
    paths = [path for folder in FOLDERS.split("|")[:5] for path in sorted((ROOT / folder).rglob("*.py"))]
    named = re.compile(r"\b(?:def|class) (\w+)|^ +(\w+): ", re.MULTILINE)
    known = {word for path in paths for found in named.findall(path.read_text(encoding="utf-8")) for word in found}
    lists = re.findall(r"^([a-z, ]+?) \((\d+)\)((?: .*\n)+)", "\n".join(blocks(TEXTS[name], "text")), re.MULTILINE)
    assert lists
    for title, count, listed in lists:
        names = [one.strip() for one in re.sub(r"\([^)]*\)", "", listed).split(",")]
        assert sum(map(passes, names)) == int(count), title
        if "now" in title:
            last = {re.sub(r" x \d+$", "", one).rpartition(".")[2] for one in names}
            assert last <= known, title


def passes(name):
    """How often `name x 8` is passed; `name and two others` are three names."""
    times = re.search(r" x (\d+)$", name)
    return int(times[1]) if times else 3 if " and two " in name else 1


def functions_of(path):
    """Names of a file's functions, and of its methods with their class."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    methods = {f"{one.name}.{node.name}" for one in classes for node in one.body if isinstance(node, kinds)}
    return methods | {node.name for node in body if isinstance(node, kinds)}


WRITES = {"write_json", "write_table", "table_writer", "write_bytes", "write_if"}
"""Methods of `Storage`."""


def test_who_writes_files_of_a_build_is_in_the_table_of_formats():
    table = TEXTS["docs/concepts/architecture.md"].partition("## Files")[2].partition("| elsewhere |")[0]
    named = set(re.findall(r"`((?:curation|manifests)/[\w/]+\.py)`", table))
    folders = [ROOT / "curation/pipeline", ROOT / "curation/living", ROOT / "manifests"]
    files = [
        path for folder in folders for path in folder.rglob("*.py") if re.search("|".join(WRITES), path.read_text())
    ]
    assert {path.relative_to(ROOT).as_posix() for path in files if methods(path) & WRITES} <= named


def methods(path):
    """Names of the methods that a file calls."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {node.func.attr for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)}


def test_floors_are_those_of_the_contracts():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    floors = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    drawn = [
        [re.split(r" {3,}", line)[0] for line in body.splitlines()]
        for body in blocks(TEXTS["docs/concepts/architecture.md"], "")
    ]
    assert drawn == floors


@everywhere
def test_files_exist(name):
    for span in spans(TEXTS[name]):
        for path in re.findall(rf"^(?:python )?((?:{FOLDERS})/[\w./-]+)$", span):
            assert (ROOT / path).exists() or re.search(r"[A-Z]{3}", path), path


def test_files_of_the_code_name_pages_that_exist():
    ours = [path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name != "site"]
    for path in (one for top in ours for one in (top, *top.rglob("*"))):
        kept = path.suffix in {".py", ".yaml", ".toml"} or path.name in {"Makefile", "Dockerfile"}
        if kept and not any(part.startswith(".") for part in path.relative_to(ROOT).parts):
            for page in re.findall(r"\bdocs/[\w/.-]+\.(?:md|svg|png|py)", path.read_text(encoding="utf-8")):
                assert (ROOT / page).is_file(), f"{path}: {page}"


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_links_of_the_guides_lead_somewhere(guide):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", guide.read_text(encoding="utf-8")):
        page = ROOT / target if target else guide
        assert page.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings], anchor
