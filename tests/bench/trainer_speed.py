"""Tokens a second of the trainer against transformers' `Trainer` with padding: same model, samples and optimizer.

    python -m tests.bench.trainer_speed [--steps 12] [--threads 2]

Synthetic utterances of 1-20 s (see tests/bench/loader.py), all three tasks, preset `tiny`. Padding never counts as a
token. The peer pads each batch to its longest sample; a batch has as many samples as our rows have on average, or, as
the last row, is put together from samples of similar length. Steps of all are taken in turns, so that what else runs
on the machine disturbs all alike; the first step of each is left out. Needs accelerate (in the extra `dev`).
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from curation.tokenize.vocabulary import Vocabulary
from curation.train.batch import IGNORED, PackedBatch
from curation.train.config import load_training_config
from curation.train.corpus import vocabulary_for
from curation.train.dataset import DataConfig, PackedLoader
from curation.train.model import build_model
from curation.train.objective import AnswerModel, Inputs
from curation.train.speech import Speech
from curation.train.trainer import Trainer
from tests.bench.loader import SIZES, utterance
from tests.train.synthetic import write_shards

UTTERANCES = 600
Step = Callable[[], int]
"""Does a training step and returns its tokens, padding not counted."""


class WholeLogits(AnswerModel):
    """Ours, but with logits for prompts too, as a plain cross-entropy over the row computes them."""

    labels: torch.Tensor

    def forward(self, inputs: Inputs) -> tuple[torch.Tensor, torch.Tensor]:
        """The usual output layer and loss."""
        hidden = self.model.model(
            input_ids=inputs.ids[None], position_ids=inputs.positions[None], packing=inputs.packing, use_cache=False
        ).last_hidden_state[0]
        targets = functional.pad(self.labels[1:], (0, 1), value=IGNORED)
        losses = functional.cross_entropy(self.model.lm_head(hidden), targets, reduction="none")
        return losses.sum(), losses.detach()[inputs.places]


def ours(rows: list[PackedBatch], vocabulary: Vocabulary, *overrides: str, whole_logits: bool = False) -> Step:
    """A step of `Trainer.train_step`, metrics and checks included."""
    config = load_training_config(overrides=["run.device=cpu", *overrides])
    model = build_model("tiny", vocabulary.size, vocabulary.end)
    speech = Speech(vocabulary, {"fingerprint": ""}, "compact", "compact")
    trainer = Trainer(config, model, iter(()), lambda states: states[0], speech, None)  # type: ignore[arg-type]
    if whole_logits:
        trainer.module = WholeLogits(model).train()
    endless = itertools.cycle(rows)

    def step() -> int:
        row = next(endless)
        trainer.module.labels = row.labels
        return trainer.train_step([row]).tokens

    return step


def peer(rows: list[PackedBatch], vocabulary: Vocabulary, threads: int, strategy: str, steps: int) -> Iterator[int]:
    """transformers' Trainer in a generator: it goes on for a step each time it is asked, in a thread of its own."""
    import queue
    import threading

    from transformers import Trainer as Peer
    from transformers import TrainerCallback, TrainingArguments

    samples = [sample for row in rows for sample in unpacked(row)]
    turn: queue.Queue[None] = queue.Queue()
    done: queue.Queue[int] = queue.Queue()
    counted: list[int] = []

    def collate(items: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        pad = lambda name, value: torch.nn.utils.rnn.pad_sequence(  # noqa: E731
            [torch.tensor(item[name]) for item in items], batch_first=True, padding_value=value
        )
        counted.append(sum(len(item["input_ids"]) for item in items))
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(item["input_ids"])) for item in items], batch_first=True)
        return {"input_ids": pad("input_ids", 0), "labels": pad("labels", IGNORED), "attention_mask": mask.long()}

    class Turns(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            turn.get()

        def on_step_end(self, _: Any, state: Any, *__: Any, **___: Any) -> None:
            done.put(counted[state.global_step - 1])
            turn.get()

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=steps + 2,
            per_device_train_batch_size=max(1, round(len(samples) / len(rows))),
            train_sampling_strategy=strategy,
            optim="adamw_torch_fused",
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=100,
            use_cpu=True,
            report_to=[],
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        model = build_model("tiny", vocabulary.size, vocabulary.end)
        trainer = Peer(model, arguments, collate, train_dataset=samples, callbacks=[Turns()])

        def run() -> None:
            torch.set_num_threads(threads)  # it is set for each thread
            trainer.train()

        threading.Thread(target=run, daemon=True).start()
        while True:
            turn.put(None)
            yield done.get()


def unpacked(row: PackedBatch) -> Iterator[dict[str, list[int]]]:
    """The samples of a row by themselves."""
    lengths = row.lengths.tolist()
    for ids, labels in zip(row.ids.split(lengths), row.labels.split(lengths), strict=True):
        yield {"input_ids": ids.tolist(), "labels": labels.tolist()}


def make_rows(folder: str, count: int) -> tuple[list[PackedBatch], Vocabulary]:
    """Packed rows of synthetic utterances."""
    tokenizers = {"fingerprint": "0" * 64, **SIZES}
    rows = [utterance(number) for number in range(UTTERANCES)]
    shards = write_shards(folder, rows, shard_rows=UTTERANCES, group_rows=200, tokenizers=tokenizers)
    vocabulary = vocabulary_for(shards, 1024)
    return list(itertools.islice(PackedLoader(shards, vocabulary, DataConfig()), count)), vocabulary


def measure(ways: dict[str, Step], steps: int) -> list[list[str]]:
    """A line for each way: tokens a second of wall time and of CPU time, relative to the last but one."""
    tokens, wall, cpu = (dict.fromkeys(ways, 0.0) for _ in range(3))
    for number in range(steps + 1):
        for name, step in ways.items():
            begin, used = time.perf_counter(), time.process_time()
            made = step()
            if number:  # the first one warms up
                wall[name] += time.perf_counter() - begin
                cpu[name] += time.process_time() - used
                tokens[name] += made
    speeds = {name: (tokens[name] / wall[name], tokens[name] / cpu[name]) for name in ways}
    base = speeds["transformers Trainer, padded"][0]
    return [[name, f"{a:,.0f}", f"{b:,.0f}", f"{a / base:.2f} x"] for name, (a, b) in speeds.items()]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        rows, vocabulary = make_rows(folder, options.steps + 1)
    lengths = np.concatenate([row.lengths.numpy() for row in rows])
    answers = sum(int((row.labels != IGNORED).sum()) for row in rows) / lengths.sum()
    padded, grouped = (
        peer(rows, vocabulary, options.threads, strategy, options.steps) for strategy in ("random", "group_by_length")
    )
    ways: dict[str, Step] = {
        "ours, packed": ours(rows, vocabulary),
        "ours, packed, bfloat16": ours(rows, vocabulary, "run.precision=bfloat16"),
        "ours, packed, logits of prompts too": ours(rows, vocabulary, whole_logits=True),
        "transformers Trainer, padded": lambda: next(padded),
        "transformers Trainer, padded, grouped by length": lambda: next(grouped),
    }
    table = Table("trainer", "tokens/s", "tokens/CPU s", "", title=f"preset tiny, {options.threads} threads")
    for line in measure(ways, options.steps):
        table.add_row(*line)
    console = Console()
    console.print(
        f"{len(lengths)} samples of {lengths.min()}-{lengths.max()} tokens (mean {lengths.mean():.0f}), "
        f"{answers:.0%} of them answers; vocabulary {vocabulary.size:,}"
    )
    console.print(table)


if __name__ == "__main__":
    main()
