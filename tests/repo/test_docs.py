"""The README says what is there."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from curation.cli.app import app
from curation.manifests.schemas import LEDGER_COLUMNS, SHARD_COLUMNS
from curation.pipeline.config import BuildConfig

README = (Path(__file__).parents[2] / "README.md").read_text()


@pytest.mark.parametrize("table", [SHARD_COLUMNS, LEDGER_COLUMNS], ids=["shards", "ledger"])
def test_every_column_is_explained(table):
    for name, _, unit, meaning in table:
        assert re.search(rf"^\| `{name}` \| .+ \| {re.escape(unit)} \| {re.escape(meaning)} \|$", README, re.MULTILINE)


def test_every_command_exists():
    commands = set(re.findall(r"^curation ([a-z]+)", README, re.MULTILINE))
    assert commands >= {"doctor", "build", "status", "summary", "schema", "models", "tokenizer"}
    for command in commands:
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_every_stage_is_described():
    for section in set(BuildConfig.model_fields) - {"engine"}:
        assert re.search(rf"^\| {section} \|", README, re.MULTILINE), section


def test_nothing_is_left_open():
    assert "@@" not in README
