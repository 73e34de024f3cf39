"""A resumable training run in a folder.

    RUN/train.yaml      the configuration, fully resolved; the base when it is run again
    RUN/tokenizer/      the vocabulary of a new model
    RUN/checkpoints/, RUN/metrics.jsonl, RUN/tensorboard/

Called in each process: alone, under `torchrun`, or by Ray Train.
"""

import logging
import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from curation.core.errors import ConfigError, DataError
from curation.core.settings import read_yaml, to_yaml
from curation.core.stores.naming import writing
from curation.train.checkpoint import places
from curation.train.checkpoint.speech_info import SpeechInfo
from curation.train.config import TrainConfig
from curation.train.data.batch import RowCounts
from curation.train.data.choice import Choice
from curation.train.data.corpus import Corpus, open_corpus
from curation.train.data.loader import PackedLoader
from curation.train.distributed import World, join_world
from curation.train.loop.metrics import Recorder, StepMetrics
from curation.train.loop.stopping import Told, never, on_sigterm
from curation.train.loop.trainer import Trainer
from curation.train.loop.validate import Validation
from curation.train.model.packed_attention import has_packed_kernel
from curation.train.start import code_vectors_of, open_parts, start_from

log = logging.getLogger(__name__)

CONFIG = "train.yaml"
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""As torch calls them, on x86 and on ARM."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Where a run stands: the last step, its checkpoint, what the loaders of all processes counted since it was
    started, and whether it was told to end before its last step.
    """

    step: int
    checkpoint: Path | None
    data: dict[str, Any]
    stopped: bool = False


def settings_of(run: Path) -> dict[str, Any]:
    """The configuration that a run began with; empty for a new one. Raises ConfigError where the file is damaged."""
    path = run / CONFIG
    remedy = "restore it from a copy, or remove it and give the settings of the run again with --config and --set"
    return read_yaml(path, remedy) if path.is_file() else {}


def train_run(
    shards: str, run: Path, config: TrainConfig, on_step: Callable[[StepMetrics], None], told: Told = never
) -> Trained:
    """Train, or resume. `on_step` is called on the first process. SIGTERM, or `told`, ends the run after the step at
    work, with a checkpoint. Raises ConfigError, DataError, BadBatchError.
    """
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    with join_world(config.run.device) as world:
        return _train(shards, run, config, world, on_step, told)


def _train(
    shards: str,
    run: Path,
    config: TrainConfig,
    world: World,
    on_step: Callable[[StepMetrics], None],
    told: Told,
) -> Trained:
    """A function of its own, so that the model is gone when the processes part (`join_world`)."""
    trainer = prepare(shards, run, config, world)
    if world.first:
        _warn_of_slow_paths(config, world)
        write_settings(run, config)
    with Recorder(run, first_step=trainer.step + 1) if world.first else nullcontext() as recorder:

        def record(metrics: StepMetrics) -> None:
            if recorder is not None:
                recorder.write(metrics)
                on_step(metrics)

        with on_sigterm() as signalled:
            trainer.told = lambda: signalled() or told()
            trainer.train(record)
    own = trainer.loader.counts if isinstance(trainer.loader, PackedLoader) else RowCounts()
    counts = sum(world.gather(own), RowCounts()).as_dict()
    return Trained(trainer.step, places.latest(run), counts, trainer.stopped)


def cpu_has_bfloat16() -> bool:
    """Whether the CPU has instructions for it; True where this version of torch does not say."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return not capabilities or any(capabilities.get(name) for name in BFLOAT16_INSTRUCTIONS)


def check(shards: str, config: TrainConfig) -> None:
    """Check for user errors before any process is started. Raises ConfigError, DataError."""
    start_from(config)
    for source in filter(None, (shards, config.run.validation)):
        open_corpus(source).tokenizers  # noqa: B018 - raises where there are none


def prepare(shards: str, run: Path, config: TrainConfig, world: World) -> Trainer:
    """Everything that a run needs, at the step where it stands."""
    if config.phase == "posttrain":
        msg = f"phase=posttrain: go on with `curation posttrain`, or begin a new run with model.start_from={run}"
        raise ConfigError(msg)
    corpus, speech, model = open_parts(shards, run, config, world)
    loader = _loader(corpus, config, speech, world)
    validation = _validation(config, corpus, speech, world)
    trainer = Trainer(config, model, loader, speech, run, world, validation)
    trainer.resume()
    return trainer


def _loader(corpus: Corpus, config: TrainConfig, speech: SpeechInfo, world: World) -> PackedLoader:
    return PackedLoader(
        corpus,
        speech.vocabulary,
        config.data,
        phase=config.phase,
        rank=world.rank,
        world=world.size,
        num_workers=config.run.data_workers,
        device=world.device,
        tokenizer_fingerprint=speech.tokenizers.fingerprint,
        code_vectors=code_vectors_of("data.code_noise", speech) if config.data.code_noise else None,
    )


def _validation(config: TrainConfig, trained: Corpus, speech: SpeechInfo, world: World) -> Validation | None:
    """One epoch of the validation set, in the same order each time. Raises DataError where it does not fit, or is
    trained on.
    """
    if config.run.validation is None:
        return None
    corpus = open_corpus(config.run.validation)
    split = config.run.validation_split if corpus.index.split else "all"
    if split != "all" and not any(portion.split == split for portion in corpus.index.portions):
        msg = f"run.validation_split: {corpus.where} has no utterances of split {split}: choose another one"
        raise DataError(msg)
    once_through: dict[str, Any] = {"epochs": 1, "code_noise": 0.0, "split": split, "tiers": [], "temperature": 1.0}
    data = config.data.model_copy(update=once_through)
    settings = config.run.model_copy(update={"data_workers": 0})
    once = config.model_copy(update={"data": data, "run": settings})
    _loader(corpus, once, speech, world)  # refuses shards of other tokenizers now, not after 500 steps
    _check_apart(Choice.of(trained, config.data), Choice.of(corpus, data))
    return Validation(lambda: iter(_loader(corpus, once, speech, world)), config.run.validation_rows)


def _check_apart(trained: Choice, measured: Choice) -> None:
    """Raise DataError where utterances are trained on and measured."""
    shards = [{entry.sha256 for entry in one.corpus.index.shards} for one in (trained, measured)]
    splits = [one.split or "all" for one in (trained, measured)]
    if set.intersection(*shards) and ("all" in splits or splits[0] == splits[1]):
        msg = (
            f"run.validation: {measured.corpus.where} (split {splits[1]}) is trained on too (split {splits[0]}): name "
            "a build of other recordings, or divide this one with `curation split` and keep data.split=train"
        )
        raise DataError(msg)


def _warn_of_slow_paths(config: TrainConfig, world: World) -> None:
    """A CPU without instructions for bfloat16 computes it in software; on a GPU, attention without torch's kernel for
    packed samples is a call for each sample.
    """
    if world.device.type == "cuda" and not has_packed_kernel(config.run.precision):
        log.warning(
            "attention runs sample by sample, which is several times slower: it needs torch 2.11 or later (this is %s) "
            "and run.precision=bfloat16",
            torch.__version__,
        )
    on_cpu = config.run.precision == "bfloat16" and world.device.type == "cpu"
    if on_cpu and not cpu_has_bfloat16():
        log.warning(
            "this CPU has no bfloat16 instructions: training may be 20 times slower than with run.precision=float32"
        )


def write_settings(run: Path, config: TrainConfig) -> None:
    """Keep the configuration with the run."""
    temporary = run / f".{CONFIG}.{os.getpid()}"
    with writing(str(run / CONFIG)):
        temporary.write_text(to_yaml(config), encoding="utf-8")
        temporary.replace(run / CONFIG)
