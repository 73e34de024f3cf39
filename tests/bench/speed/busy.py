"""Training and inference beside a process that keeps a core busy, with threads that wait asleep and threads that spin.

    python -m tests.bench.speed.busy [--seconds 20] [--threads 2] [--repeats 2]

Each figure is that of a fresh process: tokens/s of the `tiny` preset, trained on packed rows of synthetic utterances,
or answering 16 requests at once with random weights. `asleep` is what `import curation` asks of OpenMP
(OMP_WAIT_POLICY=PASSIVE), `spinning` is OpenMP's own default. The best of the repeats, which alternate.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLICIES = {"asleep": "PASSIVE", "spinning": ""}
WARM_UP_SECONDS = 3.0


def main() -> None:
    """Print the table, or one figure for the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--work", choices=WORK, help="measure this in this process, and print tokens/s")
    options = parser.parse_args()
    if options.work:
        print(measured(WORK[options.work](options.threads), options.seconds))
        return
    print("| | threads wait | alone, tokens/s | beside a busy core | left |\n|---|---|---|---|---|")
    for work in WORK:
        best = {(policy, busy): 0.0 for policy in POLICIES for busy in (False, True)}
        for _ in range(options.repeats):
            for (policy, busy), known in best.items():
                best[policy, busy] = max(known, figure(work, policy, options, busy=busy))
        for policy in POLICIES:
            alone, beside = best[policy, False], best[policy, True]
            print(f"| {work} | {policy} | {alone:,.0f} | {beside:,.0f} | {beside / alone:.0%} |", flush=True)


def figure(work: str, policy: str, options: argparse.Namespace, *, busy: bool) -> float:
    """Tokens/s of a fresh process."""
    command = [sys.executable, "-m", "tests.bench.speed.busy", "--work", work]
    command += ["--seconds", str(options.seconds), "--threads", str(options.threads)]
    environment = {**os.environ, "OMP_WAIT_POLICY": POLICIES[policy]}
    with busy_core(busy):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


@contextmanager
def busy_core(busy: bool) -> Iterator[None]:
    """Another process that computes all the time."""
    if not busy:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def measured(steps: Iterator[int], seconds: float) -> float:
    """Tokens/s of steps that give how many tokens they made."""
    begin = time.perf_counter()
    while time.perf_counter() - begin < WARM_UP_SECONDS:
        next(steps)
    begin, tokens = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        tokens += next(steps)
    return tokens / (time.perf_counter() - begin)


def training(threads: int) -> Iterator[int]:
    """Steps of the trainer."""
    import torch

    from tests.bench.speed.trainer import Setting, make_rows, ours

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        rows, vocabulary = make_rows(folder, 12, 4096)
    step = ours(rows, Setting("tiny", torch.device("cpu"), vocabulary, threads))
    while True:
        yield step()[0]


def inference(threads: int) -> Iterator[int]:
    """Steps of the engine, 16 requests at once."""
    import torch

    from curation.train.infer.backends.base import Request
    from curation.train.infer.engine import Engine
    from curation.train.infer.qwen3 import Qwen3Decoder
    from curation.train.infer.sampling import Allowed
    from tests.bench.speed.generation import prompts
    from tests.support.checkpoints.speech import TINY, random_qwen3

    torch.set_num_threads(threads)
    size = 12_000
    with tempfile.TemporaryDirectory() as folder:
        random_qwen3(size, **TINY).save_pretrained(folder)
        decoder = Qwen3Decoder.load(Path(folder), torch.float32, "cpu")
    engine = Engine(decoder, slots=16, length=512)
    allowed = Allowed(range(size - 8192, size), ())
    while True:
        answers = [engine.submit(Request(prompt, allowed, 200)) for prompt in prompts(16, size)]
        for answer in answers:
            before = sum(len(item.ids) for item in answers)
            for _ in engine.follow(answer):
                now = sum(len(item.ids) for item in answers)
                yield now - before
                before = now


WORK = {"training": training, "inference": inference}

if __name__ == "__main__":
    main()
