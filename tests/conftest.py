"""Settings for all tests: reproducible property tests, one thread for each model; a checkpoint with random weights."""

import gc
import logging
import os
import uuid

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Ray lets everything go before its workers (niceness 15): beside three other parts of the tests on two cores, they take
# minutes to start.
os.environ.setdefault("RAY_worker_niceness", "0")

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "curation",
    deadline=None,
    max_examples=16,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("thorough", settings.get_profile("curation"), max_examples=200)  # of `make test-slow`
settings.load_profile("curation")

# What is imported stays: to look for cycles in it again and again would take each process seconds.
gc.disable()


@pytest.fixture(autouse=True)
def own_loggers_are_on():
    """Some libraries configure logging when they are imported: they disable the loggers that exist by then, or set the
    level of every handler, pytest's among them (NeMo).
    """
    # To set a level, even the same one, empties the caches of all loggers, which takes longer than most tests.
    if logging.root.manager.disable:
        logging.disable(logging.NOTSET)
    if logging.root.level != logging.WARNING:
        logging.root.setLevel(logging.WARNING)
    for handler in logging.root.handlers:
        handler.setLevel(logging.NOTSET)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == "curation" and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, True
            if logger.level:
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


RAY, ENGINE, SPEECH, REST = "ray", "engine", "speech", "rest"
PIPELINE = ("guard/test_poison", *(f"test_{name}" for name in ("gpu", "kill", "metrics", "run")))
BUILDS = ("audit", "cli", "demo", "living", "pipeline", "serve")
RUNTIME = ("joining", "nodes", "ray", "separate", "spares")
PLACES = {
    "tests/": REST,
    **dict.fromkeys((f"tests/curation/{name}/" for name in BUILDS), ENGINE),
    **dict.fromkeys((f"tests/{name}/" for name in ("manifests", "stages", "tokenize")), SPEECH),
    "tests/curation/living/test_split.py": REST,
    "tests/curation/pipeline/test_real_build.py": SPEECH,
    "tests/curation/core/test_plugins.py": RAY,
    **dict.fromkeys((f"tests/curation/pipeline/{name}.py" for name in PIPELINE), RAY),
    **dict.fromkeys((f"tests/curation/pipeline/runtime/test_{name}.py" for name in RUNTIME), RAY),
}
"""Parts of the tests, by place, that `make test` runs side by side (TESTS_PART), each in a process that collects and
imports no more than its part. All that start Ray are in one (but for slow ones, which have no parts): two clusters
would have every core twice, and they wait more than they compute. The others take about as long as one another:
docs/results/2026-11-27-test-time.md.
"""


def part_of(path):
    """The part of a file or a folder (`.../`)."""
    return PLACES[max((place for place in PLACES if path.startswith(place)), key=len)]


def pytest_ignore_collect(collection_path, config):
    wanted = os.environ.get("TESTS_PART")
    if wanted is None or not collection_path.is_relative_to(config.rootpath / "tests"):
        return None
    path = collection_path.relative_to(config.rootpath).as_posix() + "/" * collection_path.is_dir()
    within = {part for place, part in PLACES.items() if place.startswith(path)}
    return None if wanted in {part_of(path), *within} else True


def pytest_collection_finish():
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items):
    starting = [item.nodeid for item in items if "cluster" in item.fixturenames and not item.get_closest_marker("slow")]
    strays = [name for name in starting if part_of(name) != RAY]
    assert not strays, f"{strays[0]} starts Ray: name its file in PLACES"
