"""A small model in training, in this process or as a program that can be killed or told to end:

python -m tests.support.runs RUN [SECTION.KEY=VALUE ...] [-- [alone] RUN ...]      # alone, or under torchrun

Runs are trained one after the other; under torchrun those marked `alone` by the first process, without the others.
"""

import sys
from pathlib import Path

import torch

from curation.models.torch_compat import import_torchaudio
from curation.train.distributed import World, join_world
from curation.train.loop.metrics import Recorder
from curation.train.loop.stopping import EXIT_CODE, on_sigterm
from curation.train.loop.trainer import Trainer
from curation.train.loop.validate import Validation
from tests.support.streams import ToyLoader, toy_config, toy_speech

GPA_VOCABULARY = 180_445
"""Rows of the embedding in GPA's release (arXiv 2601.10770)."""


def toy_model(vocabulary, seed=0):
    """The smallest model that has everything: two layers, grouped heads."""
    import_torchaudio()
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=vocabulary.size,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        tie_word_embeddings=True,
        eos_token_id=vocabulary.end,
    )
    torch.manual_seed(seed)
    return Qwen3ForCausalLM(config)


ALONE = World()


def toy_trainer(run, *overrides, world=ALONE, loader=None, **parts):
    torch.set_num_threads(1)
    speech = toy_speech()
    vocabulary = speech.vocabulary
    loader = loader or ToyLoader(vocabulary, world.rank, world.size)
    config = toy_config(*overrides)
    model = toy_model(vocabulary).to(world.device)
    return Trainer(config, model, loader, speech, Path(run), world, **parts)


def train_toy(run, *overrides, world=ALONE, told=lambda: False):
    """Train, or resume; the recorded losses are in RUN/metrics.jsonl."""
    held_out = lambda: iter(ToyLoader(toy_speech().vocabulary, world.rank, world.size, rows=6))  # noqa: E731
    limit = toy_config(*overrides).run.validation_rows
    trainer = toy_trainer(run, *overrides, world=world, validation=Validation(held_out, limit))
    trainer.told = told
    trainer.resume()
    if not world.first:
        trainer.train()
        return trainer
    with Recorder(Path(run), first_step=trainer.step + 1) as recorder:
        trainer.train(recorder.write)
    return trainer


def main(plan):
    """The runs of a plan; the exit code."""
    with join_world("cpu") as joined, on_sigterm() as told:
        return EXIT_CODE if train_all(plan, joined, told) else 0


def train_all(plan, joined, told):
    """Whether the last run was told to end. No model may be left where the processes part."""
    while plan:
        cut = plan.index("--") if "--" in plan else len(plan)
        settings, plan = plan[:cut], plan[cut + 1 :]
        if settings[0] != "alone":
            trainer = train_toy(*settings, world=joined, told=told)
        elif joined.first:
            train_toy(*settings[1:])
        joined.wait()
    return trainer.stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
