"""Plug-ins: an installed package with an ASR system and a stage takes part in everything; what is wrong is named."""

import json
import pickle
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from curation.cli import app
from curation.core.errors import ConfigError
from curation.core.settings import to_yaml
from curation.pipeline.assemble import REGISTRIES, build_stages, declared_scores, steps
from curation.pipeline.config import BuildConfig, label_settings, load_config, validate
from curation.pipeline.rules import rules_of
from curation.pipeline.run import build
from curation.stages.registry import STAGES, ordered_stages
from curation.stages.transcribe.registry import SYSTEMS
from tests.support.builds import rows
from tests.support.plug_in import install, write_installed
from tests.support.toy import Cut

SENTENCE = Path(__file__).parents[2] / "data/librivox/sense_and_sensibility_01_austen_64kb-0870.flac"
POINTS = {"curation.asr": {"echo": "Echo"}, "curation.stages": {"crossings": "Crossings"}}
ECHOES = [
    {"kind": "echo", "name": name, "text": text} for name, text in (("a", "it is a truth"), ("b", "it was a truth"))
]
SETTINGS = {
    "denoise": None,
    "quality": None,
    "punctuate": None,
    "tokenize": None,
    "crossings": {},
    "transcribe": {"systems": ECHOES, "language_system": "a"},
    "consensus": {"max_pwer": 0.5},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    site = tmp_path_factory.mktemp("plug-in") / "site"
    install(site, "echo-for-curation", POINTS)
    return site


@pytest.fixture
def installed(site, monkeypatch):
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")  # of the workers
    return site


@pytest.fixture
def site_of(tmp_path, monkeypatch):
    def written(name, points, **code):
        write_installed(tmp_path / name, name, points, **code)
        monkeypatch.syspath_prepend(tmp_path / name)

    return written


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "corpus.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    return path


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.jsonl"
    path.write_text(json.dumps({"path": str(SENTENCE), "id": "one", "language": "en"}) + "\n")
    return path


def quick_stages(config):
    """The stages of the build, with half seconds for utterances: a real diarizer takes longer to load than all else."""
    return [Cut() if stage.name == "diarize" else stage for stage in build_stages(config)]


@pytest.mark.parametrize("runtime", ["in-process", pytest.param("ray", marks=pytest.mark.slow)])
def test_a_build_with_both(installed, file, manifest, tmp_path, runtime):
    out = tmp_path / runtime
    config = load_config(file, overrides=["boundary=null", f"engine.runtime={runtime}"])
    build(config, [str(manifest)], str(out), make_stages=quick_stages)
    made = rows(out, "shards")
    assert made
    for row in made:
        assert row["text"].endswith("a truth")
        assert [item["system"] for item in row["hypotheses"]] == ["a", "b"]
        scores = {item["name"]: item["value"] for item in row["scores"]}
        assert 100 < scores["crossings.rate"] < 8000
    # Its threshold is a rule: publishing again needs no model, and the reason is in the ledger.
    strict = load_config(file, overrides=["boundary=null", "engine.runtime=in-process", "crossings.max_rate=1"])
    build(strict, [], str(out))
    reasons = {row["reason"] for row in rows(out, "ledger") if row["status"] == "rejected"}
    assert "crossings.max_rate" in reasons
    assert rows(out, "shards") == []


def test_the_stage_has_its_place_in_the_order(installed, file):
    assert [stage.name for stage in ordered_stages()][:5] == ["loudness", "denoise", "diarize", "crossings", "quality"]
    config = load_config(file)
    assert [stage.name for stage in build_stages(config)] == [
        "loudness", "diarize", "crossings", "boundary", "transcribe", "consensus",
    ]  # fmt: skip
    assert [rule.field for rule in rules_of(config)][1:3] == ["crossings.max_rate", "boundary.max_cut"]
    assert "crossings.rate" in {score.name for score in declared_scores()}


STRICT = """
from pydantic import create_model

from curation.core.settings import Section, threshold
from curation.stages.base import Stage

LIMIT = threshold(1.0, "limit", score="recording.level", rejects=">")
LIMITS = {f"max_{number}": (float, LIMIT) for number in range(40)}


class Strict(Stage):
    name, section, after = "strict", create_model("StrictConfig", __base__=Section, **LIMITS), "loudness"

    def process(self, batch):
        pass
"""


def test_more_thresholds_than_a_segment_has_bits_for_are_refused(site_of):
    site_of("many", {"curation.stages": {"strict": "Strict"}}, code=STRICT)
    with pytest.raises(ConfigError, match=r"\d+ thresholds .* 32: switch 1\d of .*strict\.max_39.*consensus\.max_pwer"):
        load_config(overrides=["strict={}"])
    assert load_config().engine  # as long as the stage is off


def test_its_section_is_validated(installed, file):
    with pytest.raises(ConfigError, match=r"crossings\.max_rat: unknown key; did you mean 'max_rate'"):
        load_config(file, overrides=["crossings.max_rat=3"])
    wrong = ECHOES[0] | {"txt": "hello"}
    with pytest.raises(ConfigError, match=r"transcribe\.systems\.0\.txt: unknown key; did you mean 'text'"):
        load_config(file, overrides=[f"transcribe.systems={json.dumps([wrong])}", "transcribe.language_system=a"])
    with pytest.raises(ConfigError, match=r"transcribe\.systems\.0: .*unknown ASR system 'eco': did you mean 'echo'"):
        load_config(file, overrides=[f"transcribe.systems={json.dumps([ECHOES[0] | {'kind': 'eco'}])}"])


def test_the_configuration_survives_its_file_and_the_way_to_a_worker(installed, file):
    config = load_config(file, overrides=["crossings.max_rate=7"])
    read = yaml.safe_load(to_yaml(config))
    assert read["crossings"] == {"max_rate": 7.0}
    assert read["transcribe"]["systems"][0]["text"] == "it is a truth"
    assert validate(read, "build.yaml") == config
    assert pickle.loads(pickle.dumps(config)) == config  # noqa: S301 - our own


def test_a_plug_in_that_is_not_used_leaves_no_trace(installed, file, monkeypatch):
    """A build that was made without it is resumed, whether its package is installed or not."""
    with_it = load_config()
    settings, text = label_settings(with_it), to_yaml(with_it)
    assert label_settings(load_config(file)) != settings
    monkeypatch.undo()
    assert label_settings(load_config()) == settings
    assert validate(yaml.safe_load(text), "build.yaml") == load_config()
    with pytest.raises(ConfigError, match=r"crossings: unknown key; .*or install the package that provides it"):
        load_config(file)


def test_doctor_plan_and_schema_name_them(installed, file, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    doctor = CliRunner().invoke(app, ["doctor", "--config", str(file)]).stdout
    assert "ok      ASR system echo: echo-for-curation 1.0" in doctor
    assert "ok      stage crossings: echo-for-curation 1.0" in doctor
    assert "missing package no_such_module: not installed\n        -> pip install 'echo-package'" in doctor
    assert "model hf:someone/echo (MIT: only for tests)" in doctor
    plan = CliRunner().invoke(app, ["plan", str(file), "--no-calibrate", "--json"])
    stages = {stage["name"]: stage for stage in json.loads(plan.stdout)["stages"]}
    assert "crossings" in stages
    assert stages["transcribe"]["adapters"] == ["echo"]
    assert [(model["reference"], model["gib"]) for model in stages["transcribe"]["models"]] == [
        ("hf:someone/echo", 1.25)
    ]
    assert "crossings.rate" in CliRunner().invoke(app, ["schema"]).stdout


def test_two_packages_with_one_name(installed, site_of):
    site_of("another-echo", {"curation.asr": {"echo": "Echo"}})
    both = "two packages provide the ASR system 'echo': another-echo 1.0 and echo-for-curation 1.0"
    with pytest.raises(ConfigError, match=both):
        load_config()


@pytest.mark.parametrize(
    ("group", "name", "message"),
    [
        ("curation.asr", "whisper", "two packages provide the ASR system 'whisper': curation and thief 1.0"),
        ("curation.stages", "loudness", "two packages provide the stage 'loudness': curation and thief 1.0"),
        ("curation.stages", "engine", "the stage 'engine' of thief 1.0 has the name of a section"),
    ],
)
def test_the_name_of_something_built_in(site_of, group, name, message):
    code = (
        "from curation.stages.base import Stage\n"
        f"class Thief(Stage):\n    name = {name!r}\n    after = 'decode'\n    def process(self, batch): pass\n"
    )
    site_of("thief", {group: {name: "Thief"}}, code=code)
    with pytest.raises(ConfigError, match=message):
        load_config()


def test_a_package_that_does_not_import_hurts_only_those_who_use_it(site_of, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    points = {"curation.asr": {"broken": "Broken"}, "curation.stages": {"cracked": "Cracked"}}
    site_of("broken-package", points, code="import no_such_module_at_all")
    assert build_stages(load_config())
    with pytest.raises(ConfigError, match=r"'broken': broken-package 1\.0 cannot be imported: ModuleNotFoundError"):
        load_config(overrides=["transcribe.systems=[{kind: broken, name: x, model: y}]"])
    with pytest.raises(ConfigError, match=r"'cracked': broken-package 1\.0 cannot be imported: ModuleNotFoundError"):
        load_config(overrides=["cracked={}"])
    doctor = CliRunner().invoke(app, ["doctor"])
    assert doctor.exit_code == 1
    assert "missing ASR system broken: " in doctor.stdout
    assert "missing stage cracked: " in doctor.stdout
    assert "-> fix or uninstall broken-package" in doctor.stdout


def test_what_is_no_adapter_is_refused(site_of):
    site_of("nothing", {"curation.asr": {"nothing": "Nothing"}}, code="class Nothing:\n    kind = 'nothing'")
    with pytest.raises(ConfigError, match=r"nothing:Nothing of nothing 1\.0 is not a subclass of .*AsrSystem"):
        SYSTEMS["nothing"]


def test_a_stage_after_one_that_there_is_not(site_of):
    code = (
        "from curation.stages.base import Stage\n"
        "class Lost(Stage):\n    name = 'lost'\n    after = 'nowhere'\n    def process(self, batch): pass\n"
    )
    site_of("lost", {"curation.stages": {"lost": "Lost"}}, code=code)
    with pytest.raises(ConfigError, match="'lost' is to run after 'nowhere', which is none of decode, loudness"):
        ordered_stages()


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.group)
def test_built_in_ones_are_found_under_their_names(registry):
    assert registry.built_in
    for name, found in registry.built_in.items():
        assert getattr(found, registry.key) == name
        section = found.section
        if section is not None and "kind" in section.model_fields:
            assert section.model_fields["kind"].default == name


def test_every_stage_of_the_configuration_is_one_that_is_found():
    others = {"inputs", "decode", "tokenize", "dedup", "publish", "engine"}
    assert set(STAGES.built_in) == set(BuildConfig.model_fields) - others
    assert [step.name for step in steps(load_config())] == [
        name for name in BuildConfig.model_fields if name not in {"inputs", "dedup", "publish", "engine"}
    ]
