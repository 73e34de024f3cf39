"""Seconds of the output layer, its loss and its gradient, by how many logits are held at a time.

    python -m tests.bench.training.loss_pieces [--threads 2] [--rounds 3] [--device cuda]

The width is that of the 0.3B for GPA's vocabulary, that of `tiny` for the one of tests/bench/speed/trainer.py. All
sizes take turns.
"""

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table

from curation.train.device import logits_at_once
from curation.train.model.loss import CrossEntropy
from tests.support.runs import GPA_VOCABULARY

SIZES = range(20, 29)
CASES = [(GPA_VOCABULARY, 512, 185), (15_369, 256, 185), (15_369, 256, 2000)]
"""Ids, width, answer tokens of a row."""


def seconds(case: tuple[int, int, int], rounds: int, device: torch.device) -> dict[int, float]:
    """The least of some rounds, by the power of two that is held at a time."""
    vocabulary, width, answers = case
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(answers, width, generator=generator).to(device).requires_grad_()
    weight = (torch.randn(vocabulary, width, generator=generator) * 0.02).to(device).requires_grad_()
    targets = torch.randint(vocabulary, (answers,), generator=generator).to(device)
    useful = [size for size in SIZES if vocabulary <= 2**size < 2 * vocabulary * answers]
    found: dict[int, list[float]] = {size: [] for size in useful}
    for _ in range(rounds + 1):
        for size, times in found.items():
            begin = time.perf_counter()
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                total, _ = CrossEntropy.apply(hidden, weight, targets, 2**size)  # type: ignore[no-untyped-call]
            torch.autograd.grad(total, (hidden, weight))
            if device.type == "cuda":
                torch.cuda.synchronize()
            times.append(time.perf_counter() - begin)
    return {size: min(times[1:]) for size, times in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    table = Table("ids, width, answers", *(f"2^{size}" for size in SIZES))
    for case in CASES:
        found = seconds(case, options.rounds, device)
        cells = (f"{found[size]:.3f}" if size in found else "" for size in SIZES)
        table.add_row("{:,}, {}, {:,}".format(*case), *cells)
    Console().print(table)
    Console().print(f"training holds {logits_at_once(device):,} here")


if __name__ == "__main__":
    main()
