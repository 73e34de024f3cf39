"""The command line: exit codes, help, tables and JSON."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from curation.cli import app

runner = CliRunner()


def invoke(*arguments):
    return runner.invoke(app, [str(argument) for argument in arguments])


def test_python_m_curation_has_help():
    done = subprocess.run([sys.executable, "-m", "curation", "--help"], capture_output=True, text=True, check=True)
    for command in ("build", "doctor", "models", "status", "summary", "schema", "tokenizer"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["build", "doctor", "status", "summary", "schema"])
def test_every_command_has_help(command):
    assert invoke(command, "--help").exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["build"],
        ["build", "nowhere", "-o", "OUT"],
        ["build", "-o", "OUT"],
        ["build", "nowhere", "-o", "OUT", "--set", "x=1"],
        ["summary", "OUT"],
        ["nonsense"],
    ],
)
def test_wrong_usage_and_configuration_exit_2(arguments, tmp_path):
    assert invoke(*(argument.replace("OUT", str(tmp_path / "o")) for argument in arguments)).exit_code == 2


def test_too_many_failures_exit_3_and_the_summary_tells(tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"in/{name}.wav").write_bytes(b"nothing")
    built = invoke(
        "build", tmp_path / "in", "-o", tmp_path / "out", "--set", "engine.runtime=in-process", "--set", "tokenize=null"
    )
    assert built.exit_code == 3
    told = invoke("summary", tmp_path / "out", "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout)["failed_recordings"] == 2
    assert "failed" in invoke("summary", tmp_path / "out").stdout


def test_status_before_any_build(tmp_path):
    assert json.loads(invoke("status", tmp_path, "--json").stdout)["units"] == 0


def test_schema_names_every_column():
    columns = json.loads(invoke("schema", "--json").stdout)
    assert {"glm", "semantic", "global", "text"} <= {row["column"] for row in columns if row["table"] == "shards"}
    assert {"status", "reason", "seconds"} <= {row["column"] for row in columns if row["table"] == "ledger"}
    assert all(row["meaning"] for row in columns)


def test_doctor_names_a_missing_model_and_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "none"))
    found = invoke("doctor")
    assert found.exit_code == 1
    assert "curation models fetch whisper-base" in found.stdout
