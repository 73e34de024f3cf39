"""The command `curation serve` (`curation/cli/serve.py`) as a process: it answers, and ends when it is told to."""

import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import httpx

from tests.support.commands import curation, message


@contextmanager
def ended(process):
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def iter_until(lines, last):
    for line in lines:
        yield line
        if last in line:
            return


def test_it_answers_until_it_is_told_to_end(checkpoint):
    command = [sys.executable, "-m", "curation", "serve", str(checkpoint), "--port", "0", "--name", "tiny"]
    with ended(subprocess.Popen(command, stderr=subprocess.PIPE, text=True)) as process:
        told = "".join(iter_until(process.stderr, "startup complete"))
        address = re.search(r"http://[\d.:]+", told)[0]
        assert httpx.get(f"{address}/v1/models").json()["data"][0]["id"] == "tiny"
        body = {"model": "tiny", "input": "Some words.", "response_format": "pcm"}
        with httpx.stream("POST", f"{address}/v1/audio/speech", json=body, timeout=60) as answer:
            chunks = answer.iter_raw()
            assert next(chunks)
            process.send_signal(signal.SIGTERM)
            assert list(chunks)  # what is at work is answered to its end
        assert process.wait(60) in {0, -signal.SIGTERM}  # uvicorn passes the signal on, once all is answered


def test_an_address_that_is_taken_is_named(checkpoint):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = message(curation("serve", checkpoint, "--port", taken.getsockname()[1], code=2))
    assert "cannot be listened on" in told


def test_a_tokenizer_that_is_missing_is_named_before_anything_is_served(checkpoint, tmp_path):
    folder = shutil.copytree(checkpoint, tmp_path / "lacking")
    (folder / "speech_tokenizers.json").write_text(json.dumps({"glm": str(tmp_path / "glm"), "bicodec": "compact"}))
    with socket.socket() as taken:  # a server that began would end here
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = message(curation("serve", folder, "--port", taken.getsockname()[1], code=1))
    assert str(tmp_path / "glm") in told


def test_wrong_options_are_refused_before_the_model_is_opened(tmp_path):
    told = message(curation("serve", tmp_path / "none", "--keys", tmp_path / "keys", code=2))
    assert "cannot be read" in told
