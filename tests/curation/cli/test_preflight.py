"""`curation doctor` and `curation plan`; what they look at is tested in tests/curation/preflight."""

import json

import pytest

from curation.core.counts import counted
from tests.support.commands import curation, message

QUICK = ("plan", "--no-calibrate", "--cpus", 8, "--gpus", 0)


def test_doctor_is_content_where_nothing_is_missing():
    told = curation("doctor", "--set", "engine.workers=1").stdout
    assert "ok      model whisper-base: here" in told
    assert "missing" not in told


def test_doctor_names_a_missing_model_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "none"))
    told = curation("doctor", code=1).stdout
    assert "missing model whisper-base" in told
    assert "-> curation models fetch whisper-base\n" in told


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ("tokenize.bicodec=nosuch", "tokenize.bicodec: unknown tokenizer 'nosuch'"),
        ("tokenize.glm=glm", "tokenize.glm: glm needs a checkpoint: glm:FOLDER, or glm:hf:REPO@REVISION"),
    ],
)
def test_doctor_refuses_a_tokenizer_that_there_is_not(setting, problem):
    assert problem in message(curation("doctor", "--set", setting, code=2))


def test_plan_shows_what_json_has():
    values = json.loads(curation(*QUICK, "--json").stdout)
    told = curation(*QUICK).stdout
    assert counted(values["workers"], "worker") in told
    assert "calibration: not calibrated" in told
    assert all(stage["name"] in told for stage in values["stages"])


def test_plan_says_how_many_staging_files_a_large_corpus_makes():
    files = json.loads(curation(*QUICK, "--json").stdout)["staging_files"]
    assert f"10 million recordings, 100,000 hours: at most {files:,} staging files" in curation(*QUICK).stdout


def test_plan_ends_with_1_where_the_configuration_does_not_fit():
    told = curation(*QUICK, "--set", "engine.worker_gpus=1", code=1).stdout
    assert "problem: no worker fits" in told


def test_plan_takes_its_settings_from_a_file_in_both_ways(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("engine: {workers: 3}")
    for arguments in ([file], ["--config", file]):
        assert json.loads(curation(*QUICK, "--json", *arguments).stdout)["workers"] == 3
    assert "cannot read the configuration" in message(curation("plan", tmp_path / "none.yaml", code=2))
    assert "two files with settings" in message(curation(*QUICK, file, "--config", file, code=2))
