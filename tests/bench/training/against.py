"""Training steps of this code against those of another version of it, in turns: tokens a second and their ratio.

    git worktree add /tmp/before COMMIT
    python tests/bench/training/against.py /tmp/before [--steps 20] [--threads 2] [--preset tiny]

Each version has a process, which makes a step when it is told to, of the same rows (tests/bench/speed/trainer.py).
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[3]


def work(options: argparse.Namespace) -> None:
    """A step for each line that comes in; answers with its tokens, its seconds and its CPU seconds."""
    import tempfile

    import torch

    from tests.bench.speed.trainer import Setting, make_rows, ours

    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows, vocabulary = make_rows(folder, options.steps + 1, 4096)
    step = ours(rows, Setting(options.preset, torch.device("cpu"), vocabulary, options.threads))
    for _ in sys.stdin:
        begin, used = time.perf_counter(), time.process_time()
        tokens, _ = step()
        print(tokens, time.perf_counter() - begin, time.process_time() - used, flush=True)


def main() -> None:
    """Print a line for each version."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", nargs="?", help="folder of the other version")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--preset", default="tiny")
    options = parser.parse_args()
    if options.before is None:
        work(options)
        return
    command = [
        sys.executable,
        __file__,
        "--steps",
        options.steps,
        "--threads",
        options.threads,
        "--preset",
        options.preset,
    ]
    processes = {}
    for name, folder in (("before", options.before), ("now", HERE)):
        environment = {**os.environ, "PYTHONPATH": str(Path(folder).resolve())}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes[name] = subprocess.Popen([*map(str, command)], cwd=folder, env=environment, **pipes)
    speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in processes}
    for _ in range(options.steps + 1):
        for name, process in processes.items():
            process.stdin.write("\n")
            process.stdin.flush()
            tokens, seconds, cpu = map(float, process.stdout.readline().split())
            speeds[name].append((tokens / seconds, tokens / cpu))
    for process in processes.values():
        process.stdin.close()
        process.wait()
    for place, unit in enumerate(("tokens/s", "tokens/CPU s")):
        before, now = ([one[place] for one in speeds[name][1:]] for name in ("before", "now"))
        ratio = statistics.median(b / a for a, b in zip(before, now, strict=True))
        print(f"{unit}: before {statistics.median(before):,.0f}, now {statistics.median(now):,.0f}, ratio {ratio:.3f}")


if __name__ == "__main__":
    main()
