"""Tokens a second of the trainer against transformers' `Trainer` with padding: same model, samples and optimizer.

    python -m tests.bench.speed.trainer [--steps 12] [--threads 2]
    python -m tests.bench.speed.trainer --device cuda --preset gpa-0.3b [--ours]

Synthetic utterances of 1-20 s (see tests/bench/speed/loader.py), all three tasks. Padding never counts as a
token. The peer pads each batch to its longest sample; a batch has as many samples as our rows have on average, or, as
the last row, is put together from samples of similar length. Steps of all are taken in turns, so that what else runs
on the machine disturbs all alike; the first step of each is left out. Needs accelerate (in the extra `dev`). On a GPU
all compute in bfloat16, and the share of the GPU's peak (MFU) is that of ours; `--ours` leaves the peer out,
whose logits take tens of GiB. Rows are on the device before their step, as the loader's thread has them there.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn import functional

from curation.tokenize.vocabulary import Vocabulary
from curation.train.checkpoint.speech_info import SpeechInfo, TokenizerInfo
from curation.train.config import load_training_config
from curation.train.data.batch import IGNORED, PackedBatch, Packing
from curation.train.data.config import DataConfig
from curation.train.data.corpus import open_corpus, vocabulary_for
from curation.train.data.loader import PackedLoader
from curation.train.device import CPU
from curation.train.distributed import World
from curation.train.loop.metrics import peak_flops
from curation.train.loop.trainer import Trainer
from curation.train.model.loss import AnswerModel
from curation.train.model.qwen3 import PRESETS, Preset, build_model
from tests.bench.speed.loader import SIZES, utterance
from tests.support.runs import GPA_VOCABULARY
from tests.support.synthetic import write_shards

UTTERANCES = 600
PEER = "transformers Trainer, padded"
WARM_UP = {"cpu": 1, "cuda": 4}
"""Steps that are left out: on a GPU the first ones compile and choose kernels."""
Step = Callable[[], tuple[int, float]]
"""Does a training step and returns its tokens, padding not counted, and the model's operations where known."""


@dataclass(frozen=True)
class Setting:
    """What all ways have in common."""

    preset: Preset
    device: torch.device
    vocabulary: Vocabulary
    threads: int

    def model(self) -> Any:
        """A new model, for 0.3B and more with as many embeddings as GPA's."""
        size = self.vocabulary.size if self.preset == "tiny" else GPA_VOCABULARY
        return build_model(self.preset, size, self.vocabulary.end).to(self.device)


class WholeLogits(AnswerModel):
    """Ours, but with logits for prompts too, as a plain cross-entropy over the row computes them."""

    def forward(self, batch: PackedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """The usual output layer and loss."""
        device = self.model.device
        hidden = self.model.model(
            input_ids=batch.ids[None].to(device),
            position_ids=batch.positions[None].to(device),
            packing=Packing.of(batch.lengths, device),
            use_cache=False,
        ).last_hidden_state[0]
        targets = functional.pad(batch.labels[1:], (0, 1), value=IGNORED).to(device)
        losses = functional.cross_entropy(self.model.lm_head(hidden), targets, reduction="none")
        return losses.sum(), losses.detach()[batch.answers.to(device) - 1]


def ours(rows: list[PackedBatch], setting: Setting, *overrides: str, whole_logits: bool = False) -> Step:
    """A step of `Trainer.train_step`, metrics and checks included."""
    config = load_training_config(overrides=[f"model.preset={setting.preset}", *overrides])
    model = setting.model()
    speech = SpeechInfo(setting.vocabulary, TokenizerInfo("compact", "compact", {"fingerprint": ""}))
    trainer = Trainer(config, model, iter(()), speech, None, World(device=setting.device))  # type: ignore[arg-type]
    if whole_logits:
        trainer.module = WholeLogits(model).train()
    endless = itertools.cycle(rows)

    def step() -> tuple[int, float]:
        row = next(endless)
        done = trainer.train_step([row])
        return done.tokens, done.flops

    return step


def peer(rows: list[PackedBatch], setting: Setting, strategy: str, steps: int) -> Iterator[tuple[int, float]]:
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
            max_steps=steps + max(WARM_UP.values()) + 1,
            per_device_train_batch_size=max(1, round(len(samples) / len(rows))),
            train_sampling_strategy=strategy,
            optim="adamw_torch_fused",
            learning_rate=2e-3,
            lr_scheduler_type="cosine",
            warmup_steps=100,
            use_cpu=setting.device.type == "cpu",
            bf16=setting.device.type != "cpu",
            report_to=[],
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
        )
        trainer = Peer(setting.model(), arguments, collate, train_dataset=samples, callbacks=[Turns()])

        def run() -> None:
            torch.set_num_threads(setting.threads)  # it is set for each thread
            trainer.train()

        threading.Thread(target=run, daemon=True).start()
        while True:
            turn.put(None)
            yield done.get(), 0.0


def unpacked(row: PackedBatch) -> Iterator[dict[str, list[int]]]:
    """The samples of a row by themselves."""
    lengths = row.lengths.tolist()
    for ids, labels in zip(row.ids.split(lengths), row.labels.split(lengths), strict=True):
        yield {"input_ids": ids.tolist(), "labels": labels.tolist()}


def make_rows(folder: str, count: int, budget: int, device: torch.device = CPU) -> tuple[list[PackedBatch], Vocabulary]:
    """Packed rows of synthetic utterances."""
    tokenizers = {"fingerprint": "0" * 64, **SIZES}
    rows = [utterance(number) for number in range(UTTERANCES)]
    shards = write_shards(folder, rows, shard_rows=UTTERANCES, group_rows=200, tokenizers=tokenizers)
    vocabulary = vocabulary_for(open_corpus(shards), 1024)
    loader = PackedLoader(open_corpus(shards), vocabulary, DataConfig(token_budget=budget), device=device)
    return list(itertools.islice(loader, count)), vocabulary


def measure(ways: dict[str, Step], steps: int, device: torch.device) -> list[list[str]]:
    """A line for each way: tokens a second of wall time and of CPU time, relative to the padded peer, or where there is
    none to the first, and MFU.
    """
    tokens, flops, wall, cpu = (dict.fromkeys(ways, 0.0) for _ in range(4))
    for number in range(steps + WARM_UP[device.type]):
        for name, step in ways.items():
            begin, used = time.perf_counter(), time.process_time()
            made, operations = step()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if number >= WARM_UP[device.type]:
                wall[name] += time.perf_counter() - begin
                cpu[name] += time.process_time() - used
                tokens[name] += made
                flops[name] += operations
    first = PEER if PEER in ways else next(iter(ways))
    base, peak = tokens[first] / wall[first], peak_flops(device)
    lines = []
    for name, made in tokens.items():
        mfu = f"{flops[name] / wall[name] / peak:.0%}" if peak and flops[name] else ""
        speed = made / wall[name]
        lines.append([name, f"{speed:,.0f}", f"{made / cpu[name]:,.0f}", f"{speed / base:.2f} x", mfu])
    return lines


def choices(rows: list[PackedBatch], setting: Setting, steps: int, *, peers: bool) -> dict[str, Step]:
    """All ways, by name."""
    if setting.device.type == "cuda":
        own: dict[str, Step] = {
            "ours, packed": ours(rows, setting),
            "ours, packed, model.compile=true": ours(rows, setting, "model.compile=true"),
            "ours, packed, model.activation_checkpointing=true": ours(
                rows, setting, "model.activation_checkpointing=true"
            ),
        }
    else:
        own = {
            "ours, packed": ours(rows, setting),
            "ours, packed, bfloat16": ours(rows, setting, "run.precision=bfloat16"),
            "ours, packed, logits of prompts too": ours(rows, setting, whole_logits=True),
        }
    if not peers:
        return own
    padded, grouped = (peer(rows, setting, strategy, steps) for strategy in ("random", "group_by_length"))
    return own | {PEER: lambda: next(padded), f"{PEER}, grouped by length": lambda: next(grouped)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--preset", choices=PRESETS, default="tiny")
    parser.add_argument("--budget", type=int, default=4096, help="tokens of a row")
    parser.add_argument("--ours", action="store_true", help="leave the peer out")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    with tempfile.TemporaryDirectory() as folder:
        rows, vocabulary = make_rows(folder, options.steps + 1, options.budget, device)
    lengths = np.concatenate([row.lengths.numpy() for row in rows])
    answers = sum(int((row.labels != IGNORED).sum()) for row in rows) / lengths.sum()
    setting = Setting(options.preset, device, vocabulary, options.threads)
    ways = choices(rows, setting, options.steps, peers=not options.ours)
    where = torch.cuda.get_device_name() if device.type == "cuda" else f"{options.threads} threads"
    table = Table("trainer", "tokens/s", "tokens/CPU s", "", "MFU", title=f"preset {options.preset}, {where}")
    for line in measure(ways, options.steps, device):
        table.add_row(*line)
    console = Console()
    console.print(
        f"{len(lengths)} samples of {lengths.min()}-{lengths.max()} tokens (mean {lengths.mean():.0f}), "
        f"{answers:.0%} of them answers; vocabulary {vocabulary.size:,}"
    )
    console.print(table)


if __name__ == "__main__":
    main()
