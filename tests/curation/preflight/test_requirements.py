"""What the paper's preset is made of, and what doctor says where parts of it are missing."""

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.core.declarations import Package
from curation.pipeline.assemble import steps
from curation.pipeline.config import load_config, validate
from curation.preflight.requirements import models_of, requirements_of
from curation.stages.transcribe.nemo.adapter import Nemo
from curation.stages.transcribe.seamless import Seamless

MFA = "conda install -c conda-forge montreal-forced-aligner, in the environment of curation"


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
    monkeypatch.setattr(Nemo, "packages", (Package("no_such_module_a", "curation[nemo]"),))
    monkeypatch.setattr(Seamless, "packages", (Package("no_such_module_b", "curation[seamless]"),))
    findings = {item.what: (item.here, item.remedy) for item in requirements_of(paper)}
    assert findings.pop("Montreal Forced Aligner", None) in {
        None,
        (False, f"{MFA}; until then pocketsphinx takes its place"),
    }
    assert findings == {
        "package no_such_module_a": (False, "pip install 'curation[nemo]'"),
        "package no_such_module_b": (False, "pip install 'curation[seamless]'"),
        "environment omnilingual": (False, "curation models environment omnilingual"),
    }


def test_a_python_that_is_given_needs_no_environment(paper):
    values = paper.model_dump(mode="json")
    values["transcribe"]["systems"][3]["python"] = "/opt/omnilingual/bin/python"
    assert "environment omnilingual" not in {item.what for item in requirements_of(validate(values, "test"))}


def test_the_offline_preset_needs_no_extra():
    assert requirements_of(load_config(preset="offline")) == []


def test_models_are_those_of_settings_and_those_of_adapters():
    """The denoiser, the aligner and the compact tokenizers load models that no setting names."""
    found = {step.name: [model.reference for model in models_of(step.uses)] for step in steps(load_config())}
    assert found == {
        "decode": [],
        "loudness": [],
        "denoise": ["deepfilternet3"],
        "diarize": ["campplus", "pyannote-segmentation-3.0"],
        "quality": ["dnsmos"],
        "boundary": [],
        "transcribe": ["moonshine-tiny.en", "whisper-base", "whisper-tiny.en"],
        "consensus": [],
        "punctuate": ["pocketsphinx-en-us", "whisper-base"],
        "tokenize": ["whisper-tiny.en"],
    }


def test_every_model_of_the_presets_has_a_licence():
    for preset in ("offline", "paper"):
        models = [model for step in steps(load_config(preset=preset)) for model in models_of(step.uses)]
        assert [model.reference for model in models if model.facts is None] == []


def test_doctor_shows_them(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "400")
    found = CliRunner().invoke(app, ["doctor", "--preset", "paper"])
    assert found.exit_code == 1
    assert "curation models environment omnilingual" in found.stdout
    assert "model hf:facebook/seamless-m4t-v2-large (CC-BY-NC-4.0: not for commercial use)" in found.stdout
    assert "to be accepted on its page" in found.stdout
