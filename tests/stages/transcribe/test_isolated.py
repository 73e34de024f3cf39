"""A model in another environment (`isolated.py`, `workers/host.py`): a real virtual environment, a real process, and
everything that can go wrong.
"""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.models.environments import ensure
from curation.stages.transcribe.isolated import ChildError, IsolatedWorker

SCRIPT = """
import os, sys, time

def load(settings):
    if settings.get("broken"):
        raise ValueError("no weights here")
    print("loading, to standard output")

    def transcribe(waves, languages):
        answers = []
        for wave, language in zip(waves, languages):
            if language == "die":
                print("out of memory", file=sys.stderr, flush=True)
                os._exit(9)
            if language == "hang":
                time.sleep(600)
            if language == "garbage":
                os.write(settings["descriptor"], b"\\x00 no JSON\\n")
            if language == "refuse":
                raise ValueError("this I cannot hear")
            if language == "few":
                return []
            answers.append({"text": f"{len(wave)} {sum(wave):.3f} {language} {os.getpid()}"})
        return answers

    return transcribe
"""
WAVES = [np.linspace(-0.5, 0.7, 40000, dtype=np.float32), np.full(3, 0.25, np.float32)]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CURATION_MODELS", str(tmp_path_factory.mktemp("store")))
        yield


@pytest.fixture(scope="module")
def python(store) -> Path:
    return ensure("empty", [])


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("worker") / "echo.py"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def worker(python, script):
    # The host writes its answers to a copy of descriptor 1, the first that is free.
    made = IsolatedWorker(python, script, {"descriptor": 3}, load_seconds=60, request_seconds=60)
    yield made
    made.close()


def test_the_environment_has_nothing_of_ours(python):
    code = "import sys, importlib.util as u; print(sys.prefix, u.find_spec('numpy'), u.find_spec('curation'))"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True)
    prefix, numpy, curation = done.stdout.split()
    assert Path(prefix).resolve() == python.parent.parent.resolve()
    assert (numpy, curation) == ("None", "None")


def test_answers_come_in_order_and_samples_arrive(worker):
    first, second = worker.ask(WAVES, ["en", "de"])
    assert first["text"].startswith(f"40000 {WAVES[0].sum(dtype=np.float64):.3f} en")
    assert second["text"].startswith("3 0.750 de")
    assert worker.ask(WAVES[1:], ["fr"])[0]["text"].startswith("3 0.750 fr")


def pid(answers) -> int:
    return int(answers[0]["text"].split()[-1])


@pytest.mark.parametrize(
    ("language", "message"),
    [
        ("die", "ended with exit code 9; it last wrote: .*out of memory"),
        ("hang", "gave no answer within 1 s"),
        ("garbage", "gave an invalid answer"),
        ("few", "gave an invalid answer"),
    ],
)
def test_a_broken_child_costs_one_request(worker, language, message):
    before = pid(worker.ask(WAVES[1:], ["en"]))
    worker.request_seconds = 1 if language == "hang" else 60  # a busy machine is slow in the other cases
    with pytest.raises(ChildError, match=f"(?s){message}"):
        worker.ask(WAVES, ["en", language])
    worker.request_seconds = 60
    assert not Path(f"/proc/{before}").exists()
    assert pid(worker.ask(WAVES[1:], ["en"])) != before


def test_a_refused_request_leaves_the_child_alive(worker):
    before = pid(worker.ask(WAVES[1:], ["en"]))
    with pytest.raises(ChildError, match="ValueError: this I cannot hear"):
        worker.ask(WAVES, ["en", "refuse"])
    assert pid(worker.ask(WAVES[1:], ["en"])) == before


def test_a_model_that_does_not_load_says_why(python, script):
    with pytest.raises(ModelError, match="echo did not load: ValueError: no weights here"):
        IsolatedWorker(python, script, {"broken": True}).start()
    with pytest.raises(ModelError, match="cannot start"):
        IsolatedWorker(Path("/no/python"), script, {}).start()


def test_the_child_ends_with_its_parent(python, script):
    """Even a parent that is killed leaves no child behind: its input ends."""
    code = (
        "import sys, time; from pathlib import Path; import numpy\n"
        "from curation.stages.transcribe.isolated import IsolatedWorker\n"
        f"worker = IsolatedWorker(Path({str(python)!r}), Path({str(script)!r}), {{}})\n"
        "print(worker.ask([numpy.zeros(1, 'f')], ['en'])[0]['text'].split()[-1], flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(1000):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            return
        time.sleep(0.1)
    pytest.fail("the child outlived its parent")
