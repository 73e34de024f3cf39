"""`curation audit serve` as a process: it prints its link, answers, and leaves nothing behind at Ctrl-C."""

import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.support.commands import curation, message


@pytest.mark.parametrize("end", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_it_answers_until_it_is_told_to_end(corpus, tmp_path, end):
    command = [
        sys.executable,
        "-m",
        "curation",
        "audit",
        "serve",
        str(corpus),
        "--per-reason",
        "1",
        "--recordings",
        "/none",
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        link = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}", link)
        assert [path.name.startswith("curation-audit-") for path in tmp_path.iterdir()] == [True]
        with httpx.Client(follow_redirects=True) as client:
            assert "app.js" in client.get(link, timeout=30).text
        process.send_signal(end)
        _, told = process.communicate(timeout=30)
        assert (process.returncode, told) == (0, "")
        assert list(tmp_path.iterdir()) == []
    finally:
        process.kill()
        process.wait()


def test_a_port_that_is_taken_is_named(corpus):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = message(curation("audit", "serve", corpus, "--port", taken.getsockname()[1], code=2))
    assert "--port" in told
    assert "choose another one" in told
