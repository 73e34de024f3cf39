"""The README and the documentation say what is there: commands, options, settings, modules, files, links.

The site is built with `--strict`: a dead link, a missing anchor or a page outside the navigation fails it.
"""

import ast
import html
import importlib
import importlib.util
import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from curation.cli.tables import schema_rows
from curation.pipeline.config import BuildConfig, load_config
from curation.train.config import TrainConfig, load_training_config

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in [*GUIDES, *PAGES]}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOLDERS = "curation|stages|manifests|tokenize|train|tests|docs|docker"

everywhere = pytest.mark.parametrize("name", TEXTS)


@pytest.fixture(scope="module")
def reference():
    """docs/reference.py as a module."""
    spec = importlib.util.spec_from_file_location("docs_reference", ROOT / "docs/reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def commands(reference):
    """Words of a command -> its options."""
    return {
        path: {
            name
            for parameter in command.params
            for name in [*parameter.opts, *parameter.secondary_opts]
            if name.startswith("-")
        }
        for path, command in reference.commands()
    }


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(build, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


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
        load = load_training_config if words[0] == "train" else load_config
        load(overrides=overrides)


@everywhere
def test_yaml_examples_are_accepted(name, tmp_path):
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


SCORES_AND_NOTES = {
    "consensus.outlier",
    "consensus.failed",
    "denoise.chosen",
    "punctuate.aligner",
    "transcribe.left_out",
}


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


ENTRY_POINTS: set[str] = set()
"""Groups of entry points look like modules."""


def importable(dotted):
    module, _, attribute = dotted.rpartition(".")
    if (ROOT / dotted.replace(".", "/")).with_suffix(".py").is_file():
        return True
    return hasattr(importlib.import_module(module), attribute)


@everywhere
def test_files_exist(name):
    for span in spans(TEXTS[name]):
        for path in re.findall(rf"^(?:python )?((?:{FOLDERS})/[\w./-]+)$", span):
            assert (ROOT / path).exists() or re.search(r"[A-Z]{3}", path), path


def test_files_of_the_code_name_pages_that_exist():
    for path in sorted(ROOT.rglob("*")):
        kept = path.suffix in {".py", ".yaml", ".toml"} or path.name in {"Makefile", "Dockerfile"}
        if kept and not any(part.startswith(".") or part == "site" for part in path.relative_to(ROOT).parts):
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


def page_text(site, page):
    return html.unescape(re.sub(r"<[^>]+>", "", (site / page / "index.html").read_text(encoding="utf-8")))


def test_every_column_is_explained(site):
    text = page_text(site, "reference/columns")
    for row in schema_rows():
        assert row["column"] in text
        assert row["meaning"] in text


@pytest.mark.parametrize(
    ("page", "model"), [("reference/configuration", BuildConfig), ("reference/training-settings", TrainConfig)]
)
def test_every_setting_is_explained(site, page, model):
    text = page_text(site, page)
    for section in model.model_fields:
        assert section in text
        for key in section_fields(model, section):
            assert f"{section}.{key}" in text


def test_every_command_is_explained(site, commands):
    text = page_text(site, "reference/commands")
    for path, options in commands.items():
        assert f"curation {' '.join(path)}" in text
        assert all(option in text for option in options)


def test_every_module_is_named(site, reference):
    text = page_text(site, "reference/modules")
    for module in reference.modules():
        assert module.name in text
        assert reference.first_line(module) or module.read_text(encoding="utf-8") == "", module


def test_the_site_needs_no_network(site):
    """Pages load nothing but their own files: no fonts, scripts or pictures of other hosts."""
    for page in site.rglob("*.html"):
        for tag in re.findall(r"<(?:script|img|link)\b[^>]*>", page.read_text(encoding="utf-8")):
            assert 'rel="canonical"' in tag or not re.search(r'(?:src|href)="(?:https?:)?//', tag), (page, tag)
