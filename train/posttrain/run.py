"""A resumable run of post-training in a folder, of the form of a training run (train/run.py), in one process."""

import hashlib
from pathlib import Path

import torch

from curation.core.errors import ConfigError
from curation.train.checkpoint import places
from curation.train.checkpoint import training as checkpoint
from curation.train.config import TrainConfig
from curation.train.data.blocks import Blocks
from curation.train.data.corpus import check_tokenizers
from curation.train.distributed import World, join_world
from curation.train.evaluate.run import Judges
from curation.train.infer.preparation import scaled
from curation.train.infer.speech_model import SpeechModel
from curation.train.loop.metrics import Recorder
from curation.train.loop.stopping import on_sigterm
from curation.train.model.loss import AnswerModel
from curation.train.model.qwen3 import open_model
from curation.train.posttrain.loop import OnStep, PostTrainer, PosttrainMetrics
from curation.train.posttrain.prompts import Prompts
from curation.train.posttrain.rewards import AnswerJudge, Judge
from curation.train.run import Trained, write_settings
from curation.train.start import open_parts, start_from

SLOTS = 64
"""Answers that are drawn at once, at most."""


def posttrain_run(shards: str, run: Path, config: TrainConfig, on_step: OnStep, judge: Judge | None = None) -> Trained:
    """Post-train, or resume; `judge` None: the judges of evaluation. Raises ConfigError, DataError, BadBatchError."""
    check(config)
    if config.run.threads:
        torch.set_num_threads(config.run.threads)
    with join_world(config.run.device) as world:
        if world.size > 1:
            msg = f"curation posttrain runs in one process, this is one of {world.size}: start it without torchrun"
            raise ConfigError(msg)
        trainer = prepare(shards, run, config, world, judge)
        write_settings(run, config)
        with Recorder(run, first_step=trainer.step + 1) as recorder:

            def record(metrics: PosttrainMetrics) -> None:
                recorder.write(metrics)
                on_step(metrics)

            with on_sigterm() as trainer.told:
                trainer.train(record)
        return Trained(trainer.step, places.latest(run), {}, trainer.stopped)


def check(config: TrainConfig) -> None:
    """Raise ConfigError for settings of training that post-training would ignore."""
    if config.phase != "posttrain":
        msg = f"phase={config.phase}: curation posttrain has the phase posttrain: leave it out, or take another folder"
        raise ConfigError(msg)
    if config.data.split != "train":
        msg = f"data.split={config.data.split}: prompts are of the split train, what is held out is for evaluation"
        raise ConfigError(msg)
    ignored = {
        "ray.workers": config.ray.workers is not None,
        "run.validation": config.run.validation is not None,
        "run.accumulation": config.run.accumulation > 1,
        "data.code_noise": config.data.code_noise > 0,
        "lora.dropout": config.lora.dropout > 0,
        "model.compile": config.model.compile,
        "model.code_embeddings": config.model.code_embeddings != "random",
        "run.data_workers": config.run.data_workers > 0,
    }
    for name, is_set in ignored.items():
        if is_set:
            msg = f"{name} is a setting of curation train, which curation posttrain does not use: leave it out"
            raise ConfigError(msg)


def prepare(shards: str, run: Path, config: TrainConfig, world: World, judge: Judge | None = None) -> PostTrainer:
    """Everything that a run needs, at the step where it stands."""
    start = start_from(config)
    if start is None:
        msg = "curation posttrain trains a model further: set model.start_from"
        raise ConfigError(msg)
    corpus, speech, model = open_parts(shards, run, config, world)
    check_tokenizers(corpus, speech.vocabulary, speech.tokenizers.fingerprint)
    blocks = Blocks(corpus, speech.vocabulary, config.data, "posttrain")
    engine = SpeechModel.open(
        start,
        device=str(world.device),
        slots=min(SLOTS, config.posttrain.prompts * config.posttrain.group),
        length=config.data.token_budget,
        prepare=scaled,  # it hears no recordings
    )
    trainer = PostTrainer(
        config,
        model,
        Prompts(blocks, speech.vocabulary, weights_of(start)),
        speech,
        run,
        world,
        engine=engine,
        judge=judge or judge_for(config, engine),
        frozen=frozen(start, world) if config.posttrain.has_reference and not config.lora.rank else None,
    )
    trainer.resume()
    return trainer


def frozen(start: Path, world: World) -> AnswerModel:
    """The model that a run began with."""
    reference = AnswerModel(open_model(str(start)).to(world.device))
    return reference.eval().requires_grad_(requires_grad=False)


def weights_of(folder: Path) -> str:
    """Hex SHA-256 of the weights of a checkpoint."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        if path.name not in {checkpoint.MOMENTS_FILE, checkpoint.RNG_FILE, checkpoint.ADAPTERS_FILE}:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def judge_for(config: TrainConfig, engine: SpeechModel) -> AnswerJudge:
    """The judges of evaluation, as far as the tasks need them."""
    weights = config.data.posttrain
    if not (weights.tts or weights.vc):
        return AnswerJudge(engine, Judges())
    from curation.train.evaluate.judges import EncoderJudge, WhisperRecogniser

    speakers = EncoderJudge() if config.posttrain.similarity else None
    return AnswerJudge(engine, Judges(WhisperRecogniser(config.posttrain.recogniser), speakers))
