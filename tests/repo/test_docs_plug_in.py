"""The package on the page of plug-ins works: installed as the page says, with the configuration that the page shows."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from curation.cli.tables import schema_rows
from curation.core.errors import ConfigError
from curation.manifests.records import Recording, Segment, Source
from curation.pipeline.assemble import build_stages
from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of
from curation.preflight.requirements import plug_ins
from curation.stages.registry import STAGES
from curation.stages.transcribe.registry import SYSTEMS, build_system
from tests.support.plug_in import write_installed

PAGE = (Path(__file__).parents[2] / "docs/how-to/plug-ins.md").read_text(encoding="utf-8")


def block(language):
    """The one block of a language on the page."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


PROJECT = tomllib.loads(block("toml"))
POINTS = {
    group: {name: value.partition(":")[2] for name, value in points.items()}
    for group, points in PROJECT["project"]["entry-points"].items()
}


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """What `pip install` leaves of the page's two files."""
    write_installed(tmp_path / "site", PROJECT["project"]["name"], POINTS, code=block("python"))
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.fixture
def config(installed, tmp_path):
    file = tmp_path / "corpus.yaml"
    file.write_text(block("yaml"))
    return load_config(file)


def test_the_configuration_is_checked_by_the_classes_of_the_package(installed, config, tmp_path):
    assert config.level.min_rms == 0.03
    assert config.transcribe.systems[1].text == "hello there"
    with pytest.raises(ConfigError, match=r"level\.min_rm: unknown key; did you mean 'min_rms'"):
        load_config(tmp_path / "corpus.yaml", overrides=["level.min_rm=1"])


def test_the_stage_comes_where_the_page_says_and_its_threshold_is_a_rule(config):
    names = [stage.name for stage in build_stages(config)]
    assert names[names.index("diarize") :][:3] == ["diarize", "level", "quality"]
    assert "level.min_rms" in [rule.field for rule in rules_of(config)]
    assert "level" not in [stage.name for stage in build_stages(load_config())]


def test_stage_and_system_do_what_they_say(config):
    wave = np.full(1600, 0.5, np.float32)
    segment = Segment(0, 1600, audio=wave)
    stage = STAGES["level"](config.level)
    stage.process([Recording(Source("one", "one.wav"), num_samples=1600, segments=[segment])])
    assert segment.scores == {"level.rms": 0.5}
    system = build_system(config.transcribe.systems[1])
    assert isinstance(system, SYSTEMS["echo"])
    (hypothesis,) = system.transcribe([wave], ["en"])
    assert (hypothesis.system, hypothesis.text) == ("house", "hello there")


def test_doctor_and_schema_list_what_the_package_brings(config):
    listed = {item.what: item.found for item in plug_ins()}
    assert listed == {"ASR system echo": "house-speech 1.0", "stage level": "house-speech 1.0"}
    assert "level.rms" in {row["column"] for row in schema_rows() if row["table"] == "scores"}


def test_errors_are_worded_as_on_the_page(tmp_path, monkeypatch):
    write_installed(tmp_path, PROJECT["project"]["name"], {"curation.asr": {"whisper": "Echo"}}, code=block("python"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as error:
        load_config()
    (shown,) = re.findall(r"`(two packages [^`]+)`", " ".join(PAGE.split()))
    assert shown in str(error.value)
