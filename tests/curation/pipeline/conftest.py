"""Builds of a few recordings in many tasks, which can be killed anywhere."""

import pytest

from curation.manifests import plan
from curation.pipeline import publish
from curation.pipeline.guard import lock
from tests.support.faults.killing import KillingFileSystem


@pytest.fixture
def small_tasks(monkeypatch):
    """A task for each unit and file, a lock that is taken at once, and a file system that lives again afterwards."""
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(plan, "UNITS_PER_PART", 1)
    monkeypatch.setattr(publish, "FILES_PER_TASK", 1)
    yield
    KillingFileSystem.arm(None)
