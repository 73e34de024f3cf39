"""What the tests of the documentation share."""

import importlib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def generators():
    """The modules that write the generated pages, by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOCS)
        names = [path.stem for path in (DOCS / "generators").glob("*.py") if path.stem != "__init__"]
        return {name: importlib.import_module(f"generators.{name}") for name in names}


@pytest.fixture(scope="session")
def commands(generators):
    """Words of a command -> its options."""
    return {
        path: {
            name
            for parameter in command.params
            for name in [*parameter.opts, *parameter.secondary_opts]
            if name.startswith("-")
        }
        for path, command in generators["commands"].commands()
    }
