"""The command line as a whole: help, what it imports, `python -m curation` (`curation/__main__.py`), the version
(`curation/core/version.py`).
"""

import subprocess
import sys

import pytest
import typer

from curation import __version__
from curation.cli import app
from tests.support.commands import curation, message


def leaves(command, path=()):
    """Every command that is no group, with the words that call it."""
    if not hasattr(command, "commands"):
        return {path: command}
    return {name: leaf for word, one in command.commands.items() for name, leaf in leaves(one, (*path, word)).items()}


COMMANDS = leaves(typer.main.get_command(app))
HEAVY = ("ctranslate2", "numpy", "onnxruntime", "pandas", "pyarrow", "ray", "torch", "transformers")
PROGRAM = f"""
import sys
from typer.testing import CliRunner
from curation.cli import app
for words in {[[], *map(list, COMMANDS)]}:
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0, words
print([name for name in {HEAVY} if name in sys.modules])
"""


def test_there_are_the_commands_of_the_documentation():
    assert set(COMMANDS) == {
        *((name,) for name in ("build", "status", "summary", "schema", "doctor", "plan", "train", "evaluate")),
        *((name,) for name in ("compact", "split", "export", "verify", "log", "remove", "voices")),
        *((name,) for name in ("posttrain", "transcribe", "speak", "convert", "serve", "gguf")),
        *((name,) for name in ("why", "whatif", "sample", "top", "diff", "sql", "dedup")),
        *(("audit", name) for name in ("page", "serve", "estimate")),
        *(("marks", name) for name in ("import", "list", "retract")),
        *(("models", name) for name in ("list", "fetch", "verify", "import", "environment")),
        ("tokenizer", "fit"),
        ("consensus", "fit"),
        ("bench", "serve"),
    }


def test_help_imports_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_is_explained_in_help(words):
    command = COMMANDS[words]
    assert command.help
    shown = curation(*words, "--help").stdout
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert parameter.help.endswith((".", "…")), parameter.name
        assert (parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.metavar) in shown


def test_a_group_without_a_command_shows_its_help():
    for words in ([], ["models"], ["marks"], ["tokenizer"], ["consensus"], ["bench"]):
        assert "Commands" in curation(*words, "--help").stdout or not words
        assert "Usage: " in curation(*words, code=2).output


def test_version():
    assert curation("--version").stdout == f"curation {__version__}\n"


def test_python_m_curation_is_the_same_command():
    done = subprocess.run([sys.executable, "-m", "curation", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"curation {__version__}\n"


def test_a_misspelt_command_is_answered_with_the_right_one():
    assert "Did you mean 'build'" in message(curation("buidl", code=2))
