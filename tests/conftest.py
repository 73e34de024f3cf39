"""Settings for all tests: reproducible property tests, one thread for each model; a checkpoint with random weights."""

import logging
import os
import uuid

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "curation",
    deadline=None,
    max_examples=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("curation")


@pytest.fixture(autouse=True)
def own_loggers_are_on():
    """Some libraries configure logging when they are imported: they disable the loggers that exist by then, or set the
    level of every handler, pytest's among them (NeMo).
    """
    logging.disable(logging.NOTSET)
    logging.root.setLevel(logging.WARNING)
    for handler in logging.root.handlers:
        handler.setLevel(logging.NOTSET)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == "curation" and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
            logger.setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    from tests.support.checkpoints.speech import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def model(checkpoint):
    from curation.train.infer.speech_model import SpeechModel

    return SpeechModel.open(checkpoint)


@pytest.fixture(scope="session")
def story(tmp_path_factory):
    """A folder with the corpus of `tests.support.story` (`in`) and its build (`out`). Copy it before you change it."""
    from tests.support.story import story_build

    folder = tmp_path_factory.mktemp("story")
    story_build(folder)
    return folder


@pytest.fixture(scope="session")
def cluster():
    """A Ray node with two CPUs and one GPU that exists in Ray's books only. To start one takes longer than a build."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "num_gpus": 1, "include_dashboard": False})
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def s3_once():
    from tests.support.faults.s3 import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_once, monkeypatch):
    """An S3 server in this process without faults yet."""
    for name, value in s3_once.environment.items():
        monkeypatch.setenv(name, value)
    yield s3_once
    s3_once.fault = lambda _: None


@pytest.fixture
def s3_bucket(s3):
    """URL of a bucket that holds nothing."""
    return s3.bucket(f"bucket-{uuid.uuid4().hex[:12]}")


PIPELINE = ("guard/test_poison", *(f"test_{name}" for name in ("gpu", "kill", "metrics", "run")))
RUNTIME = ("joining", "nodes", "ray", "separate", "spares")
RAY = (
    "tests/curation/core/test_plugins.py",
    *(f"tests/curation/pipeline/{name}.py" for name in PIPELINE),
    *(f"tests/curation/pipeline/runtime/test_{name}.py" for name in RUNTIME),
    "tests/train/test_ray.py",
)
"""Tests that start Ray stay in one process: two clusters beside each other would have every core twice."""
CORPUS = ("tests/curation/cli/", "tests/curation/demo/")
"""They share a build with real models."""
LONG = ("tests/curation/pipeline/test_real_build.py", "tests/train/test_kill.py", "tests/tokenize/fit/")
PLACES = ("tests/curation/pipeline", "tests/train/infer", "tests/stages/transcribe", "tests/train/data")
FIRST = ("ray", *LONG, "corpus", *PLACES)
"""The longest units: last, they would leave a core idle."""


def unit_of(nodeid):
    """What stays in one process where several run: mostly a folder, whose tests share models and builds."""
    file = nodeid.partition("::")[0]
    if file.startswith(LONG):
        return file
    if file.startswith(RAY):
        return "ray"
    return "corpus" if file.startswith(CORPUS) else file.rpartition("/")[0]


def pytest_collection_modifyitems(items):
    """By unit, in the order of `FIRST`."""
    units = {item: unit_of(item.nodeid) for item in items}
    strays = [item.nodeid for item, unit in units.items() if unit != "ray" and "cluster" in item.fixturenames]
    assert not strays, f"{strays[0]} starts Ray: name its file in RAY"
    items.sort(key=lambda item: next((place for place, unit in enumerate(FIRST) if units[item].startswith(unit)), 99))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Deal out `unit_of`; xdist's own `loadgroup` groups nothing with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return unit_of(nodeid)

    return Units(config, log)
