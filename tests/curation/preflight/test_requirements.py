"""What the paper's preset is made of, and what doctor says where parts of it are missing."""

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.pipeline.config import load_config
from curation.preflight.requirements import EXTRAS, examine_extras
from curation.stages.transcribe.nemo import NemoConfig
from curation.stages.transcribe.seamless import SeamlessConfig


@pytest.fixture
def paper():
    return load_config(preset="paper")


def test_the_preset_has_the_five_systems_of_the_paper(paper):
    models = {system.name: system.model for system in paper.transcribe.systems}
    assert models == {
        "whisper-large-v3": "hf:Systran/faster-whisper-large-v3",
        "canary-1b-v2": "hf:nvidia/canary-1b-v2",
        "parakeet-tdt-0.6b-v3": "hf:nvidia/parakeet-tdt-0.6b-v3",
        "omnilingual": "omniASR_LLM_7B_v2",
        "seamless-m4t-v2-large": "hf:facebook/seamless-m4t-v2-large",
    }
    assert all(system.device == "cuda" for system in paper.transcribe.systems)
    assert paper.diarize.pipeline == "hf:pyannote/speaker-diarization-community-1"


def test_missing_packages_are_named_with_their_command(paper, monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    monkeypatch.setitem(EXTRAS, NemoConfig, ("no_such_module_a", "nemo"))
    monkeypatch.setitem(EXTRAS, SeamlessConfig, ("no_such_module_b", "seamless"))
    findings = {what: (ok, remedy) for what, ok, _, remedy in examine_extras(paper)}
    assert findings == {
        "package no_such_module_a": (False, "pip install 'curation[nemo]'"),
        "package no_such_module_b": (False, "pip install 'curation[seamless]'"),
        "environment omnilingual": (False, "python -m curation.preflight.environments"),
    }


def test_the_offline_preset_needs_no_extra():
    assert examine_extras(load_config(preset="offline")) == []


def test_doctor_shows_them(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    found = CliRunner().invoke(app, ["doctor", "--preset", "paper"])
    assert found.exit_code == 1
    assert "python -m curation.preflight.environments" in found.stdout
    assert "weights CC-BY-NC-4.0" in found.stdout
