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
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from curation.core.errors import ConfigError, DataError
from curation.core.settings import read_yaml, to_yaml
from curation.tokenize.base import Vectors
from curation.tokenize.registry import load_codec, load_content
from curation.tokenize.vocabulary import Stream, load_vocabulary
from curation.train.checkpoint import training as checkpoint
from curation.train.checkpoint.speech_info import FILE, SpeechInfo, TokenizerInfo, references
from curation.train.config import TrainConfig
from curation.train.data.corpus import Corpus, begun_with, open_corpus, vocabulary_for
from curation.train.data.loader import PackedLoader
from curation.train.distributed import World, join_world
from curation.train.loop.metrics import Recorder, StepMetrics
from curation.train.loop.stopping import Told, never, on_sigterm
from curation.train.loop.trainer import Trainer
from curation.train.loop.validate import Validation
from curation.train.model.code_embeddings import code_vectors, start_from_codebooks
from curation.train.model.lora import add_adapters
from curation.train.model.packed_attention import has_packed_kernel
from curation.train.model.qwen3 import PRESETS, Config, Qwen3, Shape, build_model, open_model

log = logging.getLogger(__name__)

CONFIG = "train.yaml"
TOKENIZER = "tokenizer"
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")
"""As torch calls them, on x86 and on ARM."""


@dataclass(frozen=True, slots=True)
class Trained:
    """Where a run stands: the last step, its checkpoint, what the loader of the first process counted, and whether it
    was told to end before its last step.
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
        counts = trainer.loader.counts.as_dict() if isinstance(trainer.loader, PackedLoader) else {}
        return Trained(trainer.step, checkpoint.latest(run), counts, trainer.stopped)


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
    validation = _validation(config, speech, world)
    trainer = Trainer(config, model, loader, speech, run, world, validation)
    trainer.resume()
    return trainer


def open_parts(shards: str, run: Path, config: TrainConfig, world: World) -> tuple[Corpus, SpeechInfo, Qwen3]:
    """What a run learns from, and the model that learns, on the world's device: of its last checkpoint, or new."""
    run.mkdir(parents=True, exist_ok=True)
    begun = checkpoint.latest(run)
    corpus = open_corpus(shards)
    if begun is not None:
        corpus = _as_it_was(corpus, checkpoint.read_state(begun).data)
    # Adapters are put beside the weights that the run began with, those of a checkpoint are merged.
    start = start_from(config) if config.lora.rank else begun or start_from(config)
    if start is None:
        speech, model = _new(corpus, shards, run, config, world)
    else:
        speech, model = _continued(start, corpus, shards, config)
    if config.lora.rank:
        add_adapters(
            model, config.lora.rank, config.lora.scale * config.lora.rank, config.lora.dropout, config.run.seed
        )
    return corpus, speech, model.to(world.device)


def _as_it_was(corpus: Corpus, position: Mapping[str, Any]) -> Corpus:
    """The generation of a corpus in which a checkpoint has its position."""
    identity = position.get("identity")
    begun = begun_with(corpus, str(identity.get("corpus"))) if isinstance(identity, dict) else corpus
    if begun.identity != corpus.identity:
        log.warning(
            "this run began with generation %d of %s and goes on with it: generation %d is for new runs",
            *(begun.index.edition, corpus.where, corpus.index.edition),
        )
    return begun


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
        code_vectors=_code_vectors("data.code_noise", speech) if config.data.code_noise else None,
    )


def _validation(config: TrainConfig, speech: SpeechInfo, world: World) -> Validation | None:
    """One epoch of the validation set, in the same order each time. Raises DataError where it does not fit."""
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
    return Validation(lambda: iter(_loader(corpus, once, speech, world)), config.run.validation_rows)


def start_from(config: TrainConfig) -> Path | None:
    """The checkpoint that a run begins with. Raises ConfigError where it must have one, and has none."""
    if config.model.start_from is not None:
        return checkpoint.resolve_checkpoint(config.model.start_from)
    if config.phase != "pretrain" or config.lora.rank:
        setting = f"lora.rank={config.lora.rank}" if config.phase == "pretrain" else f"phase={config.phase}"
        msg = f"{setting} trains a model further: set model.start_from to a checkpoint or to the run that made it"
        raise ConfigError(msg)
    return None


def _new(corpus: Corpus, shards: str, run: Path, config: TrainConfig, world: World) -> tuple[SpeechInfo, Qwen3]:
    """New weights, for the vocabulary that is named or one for the shards, which the first process makes."""
    tokenizers = _tokenizers(corpus, shards, config)
    if config.speech.vocabulary is not None:
        files = Path(config.speech.vocabulary).expanduser()
        speech = SpeechInfo(load_vocabulary(files), tokenizers, files=files)
    else:
        if world.first and not (run / TOKENIZER / FILE).is_file():
            SpeechInfo(vocabulary_for(corpus, config.speech.text_size), tokenizers).save(run / TOKENIZER)
        world.wait()
        speech = SpeechInfo.load(run / TOKENIZER)
        speech.check(corpus.tokenizers, shards)
    vocabulary, seed = speech.vocabulary, config.run.seed
    model = build_model(config.model.preset, vocabulary.size, vocabulary.end, seed=seed)
    if config.model.code_embeddings == "codebook":
        start_from_codebooks(model, vocabulary, _code_vectors("model.code_embeddings", speech), seed)
    return speech, model


def _continued(start: Path, corpus: Corpus, shards: str, config: TrainConfig) -> tuple[SpeechInfo, Qwen3]:
    """Vocabulary and weights of a checkpoint. Raises ConfigError where it is of another preset or other tokenizers."""
    if (start / FILE).is_file():
        speech = SpeechInfo.load(start)
        speech.check(corpus.tokenizers, shards)
    else:  # a checkpoint of another program
        speech = SpeechInfo(load_vocabulary(start), _tokenizers(corpus, shards, config), files=start)
    model, preset = open_model(str(start)), config.model.preset
    fitting = [name for name, shape in PRESETS.items() if _has_shape(model.config, shape)]
    if fitting and preset not in fitting:
        msg = f"{start} is a model of the preset {fitting[0]}, the configuration says {preset}: set model.preset"
        raise ConfigError(msg)
    if model.config.vocab_size < speech.vocabulary.size:
        msg = f"{start}: the model has {model.config.vocab_size} embeddings for {speech.vocabulary.size} ids"
        raise ConfigError(msg)
    return speech, model


def _tokenizers(corpus: Corpus, shards: str, config: TrainConfig) -> TokenizerInfo:
    given = {"glm": config.speech.glm, "bicodec": config.speech.bicodec}
    return TokenizerInfo(*references(shards, given, corpus.tokenizers), corpus.tokenizers, corpus.denoise)


def _code_vectors(setting: str, speech: SpeechInfo) -> Mapping[Stream, Vectors]:
    """Vectors of the codes. Raises ConfigError, which names the setting, where the tokenizers are others."""
    content, codec = load_content(speech.tokenizers.glm), load_codec(speech.tokenizers.bicodec)
    for name, fingerprint in (("glm", content.fingerprint), ("bicodec", codec.fingerprint)):
        expected = speech.tokenizers.fingerprints.get(name, "unknown")
        if fingerprint != expected:
            msg = (
                f"{setting}: the shards were made with the {name} tokenizer {expected[:12]}, its reference gives "
                f"{fingerprint[:12]}: set speech.{name} to the folder of the one that made them"
            )
            raise ConfigError(msg)
    return code_vectors(content, codec)


def _has_shape(config: Config, shape: Shape) -> bool:
    sizes = [field.name for field in fields(Shape) if field.name not in {"rope_theta", "max_position_embeddings"}]
    return all(getattr(config, name) == getattr(shape, name) for name in sizes)


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
    temporary.write_text(to_yaml(config), encoding="utf-8")
    temporary.replace(run / CONFIG)
