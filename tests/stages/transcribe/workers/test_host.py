"""The protocol of the host process over its pipes: lines of JSON, samples, errors, the end of the input."""

import array
import json
import subprocess
import sys
from pathlib import Path

import pytest

from curation.stages.transcribe import workers

HOST = Path(workers.__path__[0], "host.py")
SCRIPT = """
def load(settings):
    print("loading")  # must not mix with the answers
    scale = settings["scale"]

    def transcribe(waves, languages):
        return [{"text": f"{scale * sum(wave):g} {language}"} for wave, language in zip(waves, languages, strict=True)]

    return transcribe
"""


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "sums.py"
    path.write_text(SCRIPT)
    return path


def host(script, settings, *requests):
    """Exit code and messages of a process that is sent the settings and requests (id, waves, languages)."""
    data = json.dumps(settings).encode() + b"\n"
    for number, waves, languages in requests:
        head = {"id": number, "lengths": [len(wave) for wave in waves], "languages": languages}
        data += json.dumps(head).encode() + b"\n"
        for wave in waves:
            samples = array.array("f", wave)
            if sys.byteorder == "big":
                samples.byteswap()
            data += samples.tobytes()
    done = subprocess.run(
        [sys.executable, "-I", HOST, script], input=data, capture_output=True, timeout=120, check=False
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def test_requests_are_answered_in_order_until_the_input_ends(script):
    first = (1, [[0.5, 0.25, 0.25], [2.0]], ["en", "de"])
    code, (ready, *answers) = host(script, {"scale": 10}, first, (2, [[]], ["fr"]))
    assert (code, ready) == (0, {"ready": True})
    assert answers == [
        {"id": 1, "answers": [{"text": "10 en"}, {"text": "20 de"}]},
        {"id": 2, "answers": [{"text": "0 fr"}]},
    ]


def test_an_error_is_the_answer_to_its_request_alone(script):
    _, (_, refused, answered) = host(script, {"scale": 1}, (1, [[1.0], [2.0]], ["en"]), (2, [[3.0]], ["en"]))
    assert refused["id"] == 1
    assert refused["error"].startswith("ValueError: ")
    assert answered == {"id": 2, "answers": [{"text": "3 en"}]}


def test_a_model_that_does_not_load_ends_the_process_with_the_reason(script):
    code, messages = host(script, {})
    assert code != 0
    assert messages == [{"ready": False, "error": "KeyError: 'scale'"}]
