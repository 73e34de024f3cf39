"""A corpus and its page, and one browser for all tests."""

import shutil
from pathlib import Path

import pytest

from curation.audit.page.write import PageOptions, write_page
from curation.core.storage import Storage
from tests.support.audit.hostile import hostile_rows
from tests.support.audit.segments import write_segments


@pytest.fixture(scope="session")
def corpus(story):
    """The build of `tests.support.story`. Copy it before you change it."""
    return story / "out"


@pytest.fixture(scope="session")
def page(corpus, story, tmp_path_factory):
    """The page of the corpus, with audio."""
    folder = tmp_path_factory.mktemp("page") / "audit"
    write_page(Storage(str(corpus)), folder, PageOptions(per_reason=20, recordings=[str(story / "in")]))
    return folder


@pytest.fixture(scope="session")
def hostile(corpus, tmp_path_factory):
    """The page of the corpus with segments whose every string is an attack."""
    folder = tmp_path_factory.mktemp("hostile")
    shutil.copytree(corpus, folder / "corpus")
    write_segments(folder / "corpus", hostile_rows(), part=1)
    write_page(Storage(str(folder / "corpus")), folder / "audit", PageOptions(per_reason=100))
    return folder / "audit"


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium; what it logs and requests is kept."""
    from tests.support.audit.browser import Browser

    if not Path("/usr/bin/chromedriver").exists():
        pytest.fail("no chromium: run `make system`")
    with Browser() as found:
        yield found
