"""500 requests to `curation serve`, with clients that leave, stall and send garbage between them.

    python -m tests.bench.serving.load CHECKPOINT [--requests 500] [--clients 24]

The server is a process of its own, with 8 slots and a queue of 8, so that some requests are told to come again. It
prints what came of each kind of request, how long answers took, and the server's memory after each fifth of them. It
fails where a request hangs for two minutes, where a good request gets another answer than 200 or 429, or where
the server holds a place at the end.
"""

import argparse
import asyncio
import io
import json
import random
import re
import subprocess
import sys
import time
from collections import Counter, defaultdict

import httpx
import numpy as np
import psutil
import soundfile

from tests.support.real_speech import librivox

PATIENCE = 120.0
LETTERS = "The library opens at nine, and closes at half past six. "
KINDS = {"speech": 8, "transcription": 4, "conversion": 2, "leaves": 3, "garbage": 2, "stalls": 1}
"""Weights of the kinds of requests."""


def main() -> None:
    """Print the table; exits with 1 where something hung or failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--clients", type=int, default=24)
    options = parser.parse_args()
    command = [sys.executable, "-m", "curation", "serve", options.checkpoint, "--port", "0", "--name", "m"]
    with subprocess.Popen([*command, "--slots", "8", "--queue", "8"], stderr=subprocess.PIPE, text=True) as server:
        try:
            address = next(found[0] for line in server.stderr if (found := re.search(r"http://[\d.:]+", line)))
            clients = Clients(address, psutil.Process(server.pid), options.requests)
            asyncio.run(clients.run(options.clients))
        finally:
            server.terminate()
    clients.report()
    sys.exit(bool(clients.wrong))


class Clients:
    """Clients that take requests from one shuffled list."""

    def __init__(self, address: str, server: psutil.Process, count: int) -> None:
        chance = random.Random(0)  # noqa: S311 - the same requests in every run
        self.todo = chance.choices(list(KINDS), list(KINDS.values()), k=count)
        self.address, self.server, self.chance = address, server, chance
        self.answers: Counter[tuple[str, str]] = Counter()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.memory: list[float] = []
        self.wrong: list[str] = []
        file = io.BytesIO()
        soundfile.write(file, librivox()[0][:32_000].astype(np.float32), 16_000, format="FLAC")
        self.recording = file.getvalue()

    async def run(self, clients: int) -> None:
        """Send all requests."""
        fifth = len(self.todo) // 5
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self.address, timeout=PATIENCE, limits=limits) as http:
            await self.one(http, "speech")  # loads what loads late
            self.answers.clear()
            for part in range(5):
                kinds = iter(self.todo[part * fifth : (part + 1) * fifth])
                await asyncio.gather(*(self.client(http, kinds) for _ in range(clients)))
                self.memory.append(self.server.memory_full_info().uss / 2**20)
            await self.settle(http)

    async def client(self, http: httpx.AsyncClient, kinds) -> None:
        for kind in kinds:
            begin = time.monotonic()
            try:
                answer = await asyncio.wait_for(self.one(http, kind), PATIENCE)
            except TimeoutError:
                answer = "hung"
            except httpx.HTTPError as error:
                answer = type(error).__name__
            self.answers[kind, str(answer)] += 1
            if answer == 200:
                self.seconds[kind].append(time.monotonic() - begin)
            if answer == "hung" or (kind in {"speech", "transcription", "conversion"} and answer not in {200, 429}):
                self.wrong.append(f"{kind}: {answer}")

    async def one(self, http: httpx.AsyncClient, kind: str) -> int | str:
        """The status of a request, or what its client did."""
        body = {"model": "m", "input": LETTERS * self.chance.randint(1, 3), "response_format": "wav"}
        files = {"file": ("a.flac", self.recording)}
        if kind == "speech":
            return (await http.post("/v1/audio/speech", json=body)).status_code
        if kind == "transcription":
            return (await http.post("/v1/audio/transcriptions", data={"model": "m"}, files=files)).status_code
        if kind == "conversion":
            return (await http.post("/v1/audio/conversions", data={"model": "m"}, files=files)).status_code
        if kind == "garbage":
            noise = self.chance.randbytes(2000)
            sent = http.post("/v1/audio/transcriptions", data={"model": "m"}, files={"file": noise})
            return (await sent).status_code
        if kind == "leaves":
            async with http.stream("POST", "/v1/audio/speech", json={**body, "input": LETTERS * 8}) as answer:
                async for _ in answer.aiter_raw():
                    break
            return "left"
        host, _, port = self.address.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{")
        await asyncio.sleep(5)
        writer.close()
        return "stalled"

    async def settle(self, http: httpx.AsyncClient) -> None:
        """Wait until the server holds no place."""
        for _ in range(300):
            held = re.search(r"^curation_serve_held (\S+)$", (await http.get("/metrics")).text, re.MULTILINE)
            if held and float(held[1]) == 0:
                return
            await asyncio.sleep(0.1)
        self.wrong.append("places are held at the end")

    def report(self) -> None:
        """Print what came of it."""
        print("| request | answers | seconds of those with 200: p50 / p99 |\n|---|---|---|")
        for kind in KINDS:
            answers = ", ".join(f"{what}: {n}" for (name, what), n in sorted(self.answers.items()) if name == kind)
            times = self.seconds[kind]
            took = f"{np.percentile(times, 50):.1f} / {np.percentile(times, 99):.1f}" if times else ""
            print(f"| {kind} | {answers} | {took} |")
        print("memory of the server after each fifth, MiB:", ", ".join(f"{size:.0f}" for size in self.memory))
        print(json.dumps({"wrong": self.wrong}))


if __name__ == "__main__":
    main()
