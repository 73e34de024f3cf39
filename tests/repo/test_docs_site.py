"""The site builds with `--strict` (no dead link, missing anchor or page outside the navigation), and its generated
pages explain everything that the code has.
"""

import html
import importlib
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from curation.audit.page.rows import COLUMNS
from curation.audit.page.write import FORMAT_VERSION, STATIC
from curation.cli.tables import schema_rows
from curation.models.catalogue import catalogue, known_elsewhere
from curation.pipeline.assemble import REGISTRIES
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.rules import rules_of
from curation.train.config import TrainConfig
from tests.support.audit.browser import meta_of, rows_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site. In this process: another one would import everything once more."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("NO_MKDOCS_2_WARNING", "1")
        mkdocs = importlib.import_module("mkdocs.__main__").cli
        done = CliRunner().invoke(mkdocs, ["build", "--strict", "--site-dir", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


def page_text(site, page):
    return html.unescape(re.sub(r"<[^>]+>", "", (site / page / "index.html").read_text(encoding="utf-8")))


def plain(text):
    """Markdown as the page shows it."""
    return " ".join(text.replace("`", "").split())


def test_every_column_is_explained(site):
    columns, scores = page_text(site, "reference/columns"), page_text(site, "reference/scores")
    for row in schema_rows():
        text = columns if row["table"] in {"shards", "segments", "ledger"} else scores
        assert row["column"] in text
        assert plain(row["meaning"]) in text


def test_the_page_of_an_audit_is_on_the_site_and_of_the_format_of_today(site):
    page = site / "pages/recordings"
    assert {name.name for name in page.iterdir()} == {*STATIC, "data"}
    meta = meta_of(page)
    assert (meta["v"], meta["columns"], meta["share"]) == (FORMAT_VERSION, COLUMNS, True)
    assert len(rows_of(page)) == meta["rows"]
    assert (site / "pages/demo/index.html").is_file()


@pytest.mark.parametrize(
    ("page", "model"), [("reference/configuration", BuildConfig), ("reference/training-settings", TrainConfig)]
)
def test_every_setting_is_explained(site, page, model):
    text = page_text(site, page)
    for section in model.model_fields:
        assert section in text
        annotation = model.model_fields[section].annotation
        for option in [annotation, *getattr(annotation, "__args__", ())]:
            for key in getattr(option, "model_fields", {}):
                assert f"{section}.{key}" in text


def test_every_command_is_explained(site, commands):
    text = page_text(site, "reference/commands")
    for path, options in commands.items():
        assert f"curation {' '.join(path)}" in text
        assert all(option in text for option in options)
    assert "At least 1." in text
    assert not re.search(r"x[<>]=|\.;", text)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("x>=1", "At least 1."),
        ("0<=x<=1", "At least 0. At most 1."),
        ("0<x<1", "More than 0. Less than 1."),
        ("env var: HF_TOKEN", "env var: HF_TOKEN."),
    ],
)
def test_limits_of_options_are_sentences(generators, note, words):
    assert generators["commands"].limit_in_words(note) == words


def test_every_module_is_named(site, generators):
    text = page_text(site, "reference/modules")
    for module in generators["modules"].modules():
        assert module.name in text
        assert generators["modules"].first_line(module) or module.read_text(encoding="utf-8") == "", module


def test_every_stage_and_adapter_is_described(site, generators):
    text = page_text(site, "reference/stages")
    stages = generators["stages"]
    no_stages = {"inputs", "dedup", "publish", "engine"}
    assert list(stages.steps()) == [name for name in BuildConfig.model_fields if name not in no_stages]
    assert [registry for _, registry in stages.registries().values()] == list(REGISTRIES[1:])
    for name, (_, registry) in stages.registries().items():
        assert name in stages.steps()
        assert registry.group in text
        for kind, adapter in registry.built_in.items():
            assert kind in text
            assert plain(stages.what_it_is(adapter)) in text
            assert all(package.command in text for package in adapter.packages)
    assert "dnsmos (MIT, 0.003 GiB)" in text
    assert "omnilingual" in text
    assert "an environment of its own, 6.8 GiB" in text


def test_models_of_the_presets_come_with_licence_and_note(site):
    text = page_text(site, "reference/stages")
    for part in ("Preset offline", "Preset paper", "hf:nvidia/canary-1b-v2", "CC-BY-NC-4.0", "not for commercial use"):
        assert part in text
    models = page_text(site, "reference/models")
    for name, facts in [*catalogue().items(), *known_elsewhere().items()]:
        assert name in models
        assert facts.licence in models


def test_every_score_and_threshold_is_explained(site, generators):
    text = page_text(site, "reference/scores")
    declared = [stage for stage in generators["stages"].steps().values() if stage is not None]
    declared += [
        adapter for _, registry in generators["stages"].registries().values() for adapter in registry.built_in.values()
    ]
    for record in [record for one in declared for record in (*one.scores, *one.notes)]:
        assert record.name in text
        assert plain(record.meaning) in text
    in_force = [rule.field for rule in rules_of(load_config(overrides=["consensus.min_confidence=0.5"]))]
    settings = [setting for setting, _, _ in generators["scores"].thresholds()]
    assert [setting for setting in settings if setting in in_force] == in_force
    assert all(setting in text for setting in settings)
    assert re.search(r"consensus\.max_pwer\s+pwer at or above it\s+0\.15", text)


def test_pages_of_the_navigation_are_all_pages(site):
    named = set(re.findall(r"[\w/-]+\.md", yaml.dump(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])))
    for page in named:
        assert (site / page.removesuffix("index.md").removesuffix(".md") / "index.html").is_file(), page


def test_the_site_needs_no_network(site):
    """Pages load nothing but their own files: no fonts, scripts or pictures of other hosts."""
    for page in site.rglob("*.html"):
        for tag in re.findall(r"<(?:script|img|link)\b[^>]*>", page.read_text(encoding="utf-8")):
            assert 'rel="canonical"' in tag or not re.search(r'(?:src|href)="(?:https?:)?//', tag), (page, tag)


def test_the_site_holds_pages_only(site):
    assert not [path for path in site.rglob("*") if path.suffix in {".py", ".pyc"} or path.name == "__pycache__"]
