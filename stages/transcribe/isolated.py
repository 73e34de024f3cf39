"""An ASR model in a process of another Python environment.

    worker = IsolatedWorker(python, script, settings)
    worker.start()
    answers = worker.ask(waves, languages)

The protocol is described in `workers/host.py`. A failure costs one request: a child that dies, hangs or gives an
invalid answer is ended, the request raises ChildError, and the next one starts a new child. A model that cannot be
loaded is a ModelError at the start.
"""

import json
import os
import selectors
import subprocess
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np

from curation.audio.wave import Wave
from curation.core.errors import ModelError

WORKERS = Path(__file__).parent / "workers"
MAX_LINE_BYTES = 2**24
READ_BYTES = 2**16
TAIL_BYTES = 1500
"""How much of the end of the child's standard error goes into a message."""
END_SECONDS = 5


class ChildError(RuntimeError):
    """A request failed: the model refused it, or the child process died, hung or gave an invalid answer."""


class IsolatedWorker:
    """One child process with one model. Not safe for threads: one request at a time."""

    def __init__(
        self,
        python: Path,
        script: Path,
        settings: dict[str, Any],
        load_seconds: float = 1800,
        request_seconds: float = 600,
    ) -> None:
        self.python, self.script, self.settings = python, script, settings
        self.load_seconds, self.request_seconds = load_seconds, request_seconds
        self._child: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._descriptors: list[int] = []
        """Of the child's output and input."""
        self._received = bytearray()
        self._number = 0
        self._end: Any = None

    def start(self) -> None:
        """Start the child and wait until its model is loaded. Raises ModelError where that fails."""
        self.close()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        host = WORKERS / "host.py"
        try:
            # -I: nothing of our own environment is on its path.
            child = subprocess.Popen(
                [str(self.python), "-I", str(host), str(self.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
            )
        except OSError as error:
            msg = f"cannot start {self.python}: {error}"
            raise ModelError(msg) from error
        self._child = child
        self._end = weakref.finalize(self, _end, child)
        self._descriptors = [stream.fileno() for stream in (child.stdout, child.stdin) if stream is not None]
        for descriptor in self._descriptors:
            os.set_blocking(descriptor, False)
        self._received.clear()
        try:
            answer = self._exchange(_line(self.settings), self.load_seconds)
        except ChildError as error:
            msg = f"{self.script.stem} did not load: {error}"
            raise ModelError(msg) from error
        if answer.get("ready") is not True:
            problem = self._with_log(str(answer.get("error", answer)))
            self.close()
            msg = f"{self.script.stem} did not load: {problem}"
            raise ModelError(msg)

    def ask(self, waves: Sequence[Wave], languages: Sequence[str]) -> list[dict[str, Any]]:
        """One answer per wave, each with `text`. Raises ChildError."""
        if self._child is None:
            self.start()
        self._number += 1
        header = {"id": self._number, "lengths": [len(wave) for wave in waves], "languages": list(languages)}
        samples = b"".join(np.asarray(wave, "<f4").tobytes() for wave in waves)
        answer = self._exchange(_line(header) + samples, self.request_seconds)
        if "error" in answer:
            raise ChildError(str(answer["error"]))
        answers: Any = answer.get("answers")
        if answer.get("id") != self._number or not _is_complete(answers, len(waves)):
            self._give_up(f"gave an invalid answer: {str(answer)[:200]}")
        return list(answers)

    def close(self) -> None:
        """End the child; a later request starts another."""
        if self._end is not None:
            self._end()
        if self._log is not None:
            self._log.close()
        self._child = self._log = self._end = None

    def _exchange(self, message: bytes, seconds: float) -> dict[str, Any]:
        """Send a message and return the next line; reading and writing alternate, so that neither can block."""
        deadline = time.monotonic() + seconds
        view = memoryview(message)
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptors[0], selectors.EVENT_READ)
            selector.register(self._descriptors[1], selectors.EVENT_WRITE)
            while b"\n" not in self._received:
                if len(self._received) > MAX_LINE_BYTES:
                    self._give_up("gave an invalid answer: a line without end")
                events = selector.select(max(0.0, deadline - time.monotonic()))
                if not events:
                    self._give_up(f"gave no answer within {seconds:g} s")
                for key, mask in events:
                    if mask & selectors.EVENT_READ:
                        self._read(key.fd)
                    elif len(view := self._write(key.fd, view)) == 0:
                        selector.unregister(key.fd)
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received[:] = rest
        return self._parse(line)

    def _read(self, descriptor: int) -> None:
        data = os.read(descriptor, READ_BYTES)
        if not data:
            self._give_up("ended")
        self._received += data

    def _write(self, descriptor: int, view: memoryview) -> memoryview:
        try:
            return view[os.write(descriptor, view[:READ_BYTES]) :]
        except BrokenPipeError:
            self._give_up("ended")

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self._give_up(f"gave an invalid answer: {line[:200]!r}")
        return answer

    def _give_up(self, what: str) -> NoReturn:
        """End the child, whose state is unknown. Raises ChildError with the cause."""
        if self._child is not None and what == "ended" and _ends(self._child):
            what = f"ended with exit code {self._child.returncode}"
        text = self._with_log(f"the process of {self.script.stem} {what}")
        self.close()
        raise ChildError(text)

    def _with_log(self, text: str) -> str:
        """The text with the last lines that the child wrote."""
        if self._log is None:
            return text
        size = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, size - TAIL_BYTES))
        tail = self._log.read().decode(errors="replace").strip()
        return f"{text}; it last wrote: {tail}" if tail else text


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _is_complete(answers: Any, count: int) -> bool:
    """Whether there is one text for each wave."""
    return (
        isinstance(answers, list)
        and len(answers) == count
        and all(isinstance(item, dict) and isinstance(item.get("text"), str) for item in answers)
    )


def _ends(child: subprocess.Popen[bytes]) -> bool:
    """Whether a child that closed its output ends within a moment."""
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill a child that is not needed any more."""
    child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()
