"""Environments that systems declare are found by name; the real one is made in tests/stages/transcribe."""

from typer.testing import CliRunner

from curation.cli import app
from curation.preflight.environments import declared_environments
from curation.stages.transcribe.omnilingual import ENVIRONMENT


def test_the_one_of_omnilingual_is_declared():
    assert declared_environments() == {"omnilingual": ENVIRONMENT}


def test_an_unknown_name_is_reported_with_the_known_ones():
    done = CliRunner().invoke(app, ["models", "environment", "omni"])
    assert done.exit_code == 2
    assert "there is no environment 'omni': expected one of omnilingual" in done.output
