"""A corpus, one of hostile names, and every export of both."""

import pytest

from curation.export.run import FORMATS, Options, export
from tests.support.audit.exported import hostile_rows, write_rows

PLAIN = [name for name in FORMATS if name != "energon"]
"""Formats that need no other program."""
SMALL = Options(shard_hours=0.001)
"""Several files."""


@pytest.fixture(scope="session")
def corpus(story):
    """The build of `tests.support.story`: its audio is staged, not in the shards."""
    return story / "out"


@pytest.fixture(scope="session")
def hostile(corpus, tmp_path_factory):
    return write_rows(corpus, tmp_path_factory.mktemp("hostile") / "corpus", hostile_rows())


@pytest.fixture(scope="session")
def exported(corpus, tmp_path_factory):
    """The folder with the export of each format."""
    folder = tmp_path_factory.mktemp("exported")
    for name in PLAIN:
        export(name, str(corpus), str(folder / name), SMALL)
    return folder


@pytest.fixture(scope="session")
def from_hostile(hostile, tmp_path_factory):
    folder = tmp_path_factory.mktemp("from-hostile")
    for name in PLAIN:
        export(name, str(hostile), str(folder / name), Options(shard_hours=0.0005))
    return folder
