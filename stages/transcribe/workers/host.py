"""Answers requests of `curation.stages.transcribe.isolated` with the model of a worker script. Standard library only.

    PYTHON -I host.py SCRIPT        (started by the pipeline)

SCRIPT defines `load(settings)`, which returns a function from waves (`array.array("f")` at 16 kHz) and language
codes to one answer per wave, a dict with `text`. Messages are lines of JSON: the settings in, `{"ready": true}` out;
then `{"id": 1, "lengths": [samples, …], "languages": […]}` in, followed by the samples as little-endian float32, and
`{"id": 1, "answers": [{"text": …}, …]}` or `{"id": 1, "error": …}` out. The end of the input ends the process.
"""

import array
import json
import os
import runpy
import sys
from typing import Any, BinaryIO

SAMPLE_BYTES = 4


def main(script: str) -> None:
    """Serve until the input ends."""
    incoming, outgoing = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    settings = json.loads(incoming.readline())
    try:
        transcribe = runpy.run_path(script)["load"](settings)
    except Exception as error:
        reply(outgoing, {"ready": False, "error": explain(error)})
        raise
    reply(outgoing, {"ready": True})
    for line in incoming:
        request = json.loads(line)
        waves = [read_samples(incoming, length) for length in request["lengths"]]
        try:
            answers = transcribe(waves, request["languages"])
            reply(outgoing, {"id": request["id"], "answers": answers})
        except Exception as error:  # noqa: BLE001 - reported to the pipeline, which continues
            reply(outgoing, {"id": request["id"], "error": explain(error)})


def read_samples(incoming: BinaryIO, length: int) -> "array.array[float]":
    """The next `length` samples."""
    data = incoming.read(length * SAMPLE_BYTES)
    wave = array.array("f", data)
    if sys.byteorder == "big":
        wave.byteswap()
    return wave


def reply(outgoing: BinaryIO, message: dict[str, Any]) -> None:
    """Send one line."""
    outgoing.write(json.dumps(message).encode() + b"\n")
    outgoing.flush()


def explain(error: Exception) -> str:
    """Type and text of an error, short."""
    return f"{type(error).__name__}: {error}"[:500]


if __name__ == "__main__":
    main(sys.argv[1])
