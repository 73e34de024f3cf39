"""What Ray adds: that the rows are those of the other runtime is tested in tests/curation/pipeline/test_run.py."""

import sys
from types import ModuleType

import pytest

from curation.core.errors import ConfigError, ModelError
from curation.stages.base import Stage
from tests.support.builds import toy_build, toy_config, write_recordings
from tests.support.toy import toy_stages


class Lacking(Stage):
    """A stage whose model is not there."""

    name = "lacking"

    def setup(self):
        raise ModelError("model x is not on this machine: run `curation models fetch x`")  # noqa: EM101

    def process(self, batch):
        """Is never reached."""


def lacking_stages(config):
    return [*toy_stages(config), Lacking()]


def test_a_user_error_of_a_worker_is_raised_as_it_is(cluster, tmp_path):
    recordings = write_recordings(tmp_path / "in", ["a"])
    with pytest.raises(ModelError) as caught:
        toy_build(recordings, tmp_path / "out", toy_config("ray", address=cluster.address), make_stages=lacking_stages)
    assert str(caught.value) == "model x is not on this machine: run `curation models fetch x`"


@pytest.mark.slow
def test_stages_that_workers_cannot_import_are_an_error_that_names_their_module(cluster, tmp_path, monkeypatch):
    only_here = ModuleType("only_here")
    exec("def stages(config):\n    return []", vars(only_here))  # noqa: S102 - as a file that other machines lack
    monkeypatch.setitem(sys.modules, "only_here", only_here)
    recordings = write_recordings(tmp_path / "in", ["a"])
    config = toy_config("ray", address=cluster.address)
    with pytest.raises(ConfigError, match=r"only_here.*on every machine"):
        toy_build(recordings, tmp_path / "out", config, make_stages=only_here.stages)
