"""Where a run starts from: its last checkpoint, that of another run, or new weights; and the corpus as it was then."""

import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from curation.core.errors import ConfigError
from curation.tokenize.base import Vectors
from curation.tokenize.registry import load_codec, load_content
from curation.tokenize.vocabulary import Stream
from curation.train.checkpoint import places
from curation.train.checkpoint import training as checkpoint
from curation.train.checkpoint.speech_info import FILE, SpeechInfo, TokenizerInfo, absolute, references
from curation.train.config import TrainConfig
from curation.train.data.corpus import Corpus, begun_with, open_corpus, vocabulary_for
from curation.train.distributed import World
from curation.train.model.code_embeddings import code_vectors, start_from_codebooks
from curation.train.model.lora import add_adapters
from curation.train.model.qwen3 import PRESETS, Config, Qwen3, Shape, build_model, open_model

log = logging.getLogger(__name__)

TOKENIZER = "tokenizer"
BEGINNING = (
    ("model", "code_embeddings"),
    ("run", "seed"),
    ("speech", "vocabulary"),
    ("speech", "text_size"),
)
"""Settings that count where a run begins, and nowhere else."""


def open_parts(shards: str, run: Path, config: TrainConfig, world: World) -> tuple[Corpus, SpeechInfo, Qwen3]:
    """What a run learns from, and the model that learns, on the world's device: of its last checkpoint, or new."""
    run.mkdir(parents=True, exist_ok=True)
    begun = places.latest(run)
    corpus = open_corpus(shards)
    if begun is not None:
        state = checkpoint.read_state(begun)
        _check_beginning(config, state.config, begun)
        corpus = _as_it_was(corpus, state.data)
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


def _check_beginning(config: TrainConfig, begun: Mapping[str, Any], folder: Path) -> None:
    """Raise ConfigError for a setting that counts where a run begins, and is another one now.

    Weights that adapters or a reference stand beside are compared themselves, as they may have moved.
    """
    apart = config.lora.rank or config.phase == "posttrain"
    for section, name in BEGINNING if apart else (*BEGINNING, ("model", "start_from")):
        before, now = begun.get(section), getattr(getattr(config, section), name)
        if not isinstance(before, dict) or name not in before:
            continue  # a checkpoint of an older version
        was, is_now = (absolute(one) if isinstance(one, str) else one for one in (before[name], now))
        if was != is_now:
            msg = (
                f"{section}.{name} was {before[name]!r} where this run began, and is {now!r}: the run goes on from its "
                f"own checkpoint {folder}, so leave it as it was, or begin another run in another folder"
            )
            raise ConfigError(msg)


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


def start_from(config: TrainConfig) -> Path | None:
    """The checkpoint that a run begins with. Raises ConfigError where it must have one, and has none."""
    if config.model.start_from is not None:
        return places.resolve_checkpoint(config.model.start_from)
    if config.phase != "pretrain" or config.lora.rank:
        setting = f"lora.rank={config.lora.rank}" if config.phase == "pretrain" else f"phase={config.phase}"
        msg = f"{setting} trains a model further: set model.start_from to a checkpoint or to the run that made it"
        raise ConfigError(msg)
    return None


def _new(corpus: Corpus, shards: str, run: Path, config: TrainConfig, world: World) -> tuple[SpeechInfo, Qwen3]:
    """New weights, for the vocabulary that is named or one for the shards, which the first process makes."""
    tokenizers = _tokenizers(corpus, shards, config)
    if config.speech.vocabulary is not None:
        speech = SpeechInfo.with_files(Path(config.speech.vocabulary).expanduser(), tokenizers)
    else:
        if world.first:  # again, if an earlier start left no checkpoint: corpus or settings may be others by now
            SpeechInfo(vocabulary_for(corpus, config.speech.text_size), tokenizers).save(run / TOKENIZER)
        world.wait()
        speech = SpeechInfo.load(run / TOKENIZER)
    vocabulary, seed = speech.vocabulary, config.run.seed
    model = build_model(config.model.preset, vocabulary.size, vocabulary.end, seed=seed)
    if config.model.code_embeddings == "codebook":
        start_from_codebooks(model, vocabulary, code_vectors_of("model.code_embeddings", speech), seed)
    return speech, model


def _continued(start: Path, corpus: Corpus, shards: str, config: TrainConfig) -> tuple[SpeechInfo, Qwen3]:
    """Vocabulary and weights of a checkpoint. Raises ConfigError where it is of another preset or other tokenizers."""
    if (start / FILE).is_file():
        speech = SpeechInfo.load(start).named(_given(config))
        speech.check(corpus.tokenizers, shards)
    else:  # a checkpoint of another program
        speech = SpeechInfo.with_files(start, _tokenizers(corpus, shards, config))
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
    found = references(shards, _given(config), corpus.tokenizers)
    return TokenizerInfo(*found, corpus.tokenizers, corpus.denoise, corpus.cuts)


def _given(config: TrainConfig) -> dict[str, str | None]:
    return {"glm": config.speech.glm, "bicodec": config.speech.bicodec}


def code_vectors_of(setting: str, speech: SpeechInfo) -> Mapping[Stream, Vectors]:
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
