"""Checkpoints: everything that a resumed run needs to continue exactly, in one folder.

    RUN/checkpoints/step-00000100/
        config.json  generation_config.json  model.safetensors       as transformers has them
        tokenizer.json  added_tokens.json  tokenizer_config.json     the vocabulary
        speech_tokenizers.json                                       where its speech codes come from
        optimizer.safetensors  rng.safetensors                       moments, random state of each process
        optimizer/*.safetensors                                      with FSDP2 instead: moments, each process's part
        adapters.safetensors                                         of LoRA; in model.safetensors they are merged
        training.json                                                step, data position, configuration
        complete                                                     empty, written last

A folder is written beside its place and renamed, so that a reader sees all of it or none.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from curation.core.errors import ConfigError, DataError
from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage
from curation.core.stores.naming import writing
from curation.tokenize.files import key_problems, read_tensors
from curation.train.checkpoint import random_states
from curation.train.checkpoint import tensors as files
from curation.train.checkpoint.places import FOLDER, MARKER, complete
from curation.train.checkpoint.speech_info import SpeechInfo
from curation.train.checkpoint.tensors import REMEDY, Tensors
from curation.train.distributed import World, local
from curation.train.model.lora import merged
from curation.train.model.qwen3 import Qwen3

STATE = "training.json"
WEIGHTS_FILE = "model.safetensors"
MOMENTS_FILE = "optimizer.safetensors"
MOMENTS_PARTS = "optimizer"
RNG_FILE = "rng.safetensors"
ADAPTERS_FILE = "adapters.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, slots=True)
class WatchState:
    """What `SpikeWatch` remembers of the losses, by task."""

    means: dict[str, Finite]
    steps: Count
    variances: dict[str, Annotated[Finite, Field(ge=0)]]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """The plain values of a checkpoint."""

    step: Count
    tokens: Count
    """Trained on since the first step."""
    data: dict[str, Any]
    """Position of the loader."""
    watch: WatchState
    rng: random_states.RandomState
    world: int
    """Processes of the run that saved it."""
    tokenizers: str
    vocabulary: str
    config: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Learned:
    """What a checkpoint holds of a model in training; `scale` is that of its adapters."""

    model: Qwen3
    optimizer: torch.optim.Optimizer
    scale: float = 0.0

    def parameters(self) -> dict[str, nn.Parameter]:
        """Those that are trained."""
        return {name: one for name, one in self.model.named_parameters() if one.requires_grad}

    def moments(self) -> Tensors:
        """The state of the optimizer, by the names in its file; empty before the first step."""
        states = self.optimizer.state
        return {f"{key}/{name}": value for name, one in self.parameters().items() for key, value in states[one].items()}


def save(
    learned: Learned, state: dict[str, Any], speech: SpeechInfo, run: Path, world: World, *, keep_last: int
) -> Path:
    """Write a checkpoint and delete older ones. All processes take part; `state` holds plain values. Raises
    StorageError.
    """
    root = run / FOLDER
    folder, temporary = root / f"step-{state['step']:08d}", root / f".step-{state['step']:08d}"
    with writing(str(folder)):
        if world.first:
            root.mkdir(parents=True, exist_ok=True)
            for left in _unfinished(root):
                shutil.rmtree(left)
            temporary.mkdir()
        world.wait()
        _write_learned(learned, temporary, world)
        states = world.gather(random_states.torch_states())
        if world.first:
            rng = {f"{name}/{rank}": value for rank, own in enumerate(states) for name, value in own.items()}
            files.write(temporary / RNG_FILE, rng, World())
            _write_config(learned.model, temporary)
            speech.save(temporary)
            whole = state | {"world": world.size, "rng": random_states.plain_states()}
            (temporary / STATE).write_text(json.dumps(whole, indent=1), encoding="utf-8")
            _publish(temporary, folder)
            for old in complete(run)[:-keep_last]:
                (old / MARKER).unlink()
                shutil.rmtree(old)
        world.wait()
    return folder


def _unfinished(root: Path) -> list[Path]:
    """Folders that a run left which was killed while it wrote or deleted a checkpoint."""
    deleted = [path for path in root.glob("step-*") if path.is_dir() and not (path / MARKER).is_file()]
    return [*root.glob(".step-*"), *deleted]


def _write_learned(learned: Learned, folder: Path, world: World) -> None:
    weights = {name: one.detach() for name, one in learned.model.named_parameters()}
    adapters = {name: weight for name, weight in weights.items() if ".lora_" in name}
    files.write(folder / WEIGHTS_FILE, merged(weights, learned.scale) if adapters else weights, world)
    if adapters:
        files.write(folder / ADAPTERS_FILE, adapters, world)
    moments = learned.moments()
    if files.is_spread(moments):
        files.write_parts(folder / MOMENTS_PARTS, moments, world)
    else:
        files.write(folder / MOMENTS_FILE, moments, world)


def _publish(temporary: Path, folder: Path) -> None:
    """All is on the disk before it is complete, and complete before it has its name."""
    for path in temporary.rglob("*"):
        if path.is_file():
            path.chmod(0o644)  # safetensors writes for the owner only, and others may serve the model
        _sync(path)
    (temporary / MARKER).touch()
    _sync(temporary)
    temporary.rename(folder)
    _sync(folder.parent)


def restore(folder: Path, learned: Learned, world: World) -> TrainingState:
    """Put weights, moments and random states back, also with another number of processes; returns the state.

    Raises DataError where a file is damaged, ConfigError where it is of another preset or vocabulary.
    """
    state, parameters = read_state(folder), learned.parameters()
    if any(".lora_" in name for name in parameters):
        _load_adapters(folder, learned, world)
    elif (folder / ADAPTERS_FILE).is_file():
        msg = (
            f"{folder}: this run trains adapters: set lora.rank as it was, or start a new run from its last checkpoint"
        )
        raise ConfigError(msg)
    else:
        load_weights(folder / WEIGHTS_FILE, parameters, world)
    _load_moments(folder, learned, world)
    tensors = read_tensors(folder / RNG_FILE)
    try:
        random_states.restore(tensors, state.rng, world.rank)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        msg = f"{folder}: the random states in {RNG_FILE} and {STATE} are damaged ({error}): {REMEDY}"
        raise DataError(msg) from error
    return state


def _load_moments(folder: Path, learned: Learned, world: World) -> None:
    parts = folder / MOMENTS_PARTS
    found = sorted(parts.glob(files.PARTS)) if parts.is_dir() else [folder / MOMENTS_FILE]
    saved = files.shapes(found) if found else {}
    if not saved and not parts.is_dir():
        return  # nothing has been learned yet
    for parameter in learned.parameters().values():
        moments = {key: torch.zeros_like(parameter, requires_grad=False) for key in MOMENTS}
        step = torch.zeros((), dtype=torch.float32, device=parameter.device)
        learned.optimizer.state[parameter] = {"step": step, **moments}
    wanted = learned.moments()
    problems = key_problems(wanted, saved, ())
    if problems:
        msg = f"{parts if parts.is_dir() else found[0]} is damaged ({'; '.join(problems)}): {REMEDY}"
        raise DataError(msg)
    files.read(found, wanted, world)


def load_weights(file: Path, parameters: Mapping[str, nn.Parameter], world: World) -> None:
    """Put the weights of a file into parameters that may be spread over processes."""
    saved = files.shapes([file])
    for name, parameter in parameters.items():
        if name not in saved or saved[name].shape != parameter.shape:
            found = tuple(saved[name].shape) if name in saved else "nothing"
            other = "lora.rank" if file.name == ADAPTERS_FILE else "preset or vocabulary"
            msg = (
                f"{file.parent}: {name} should be {tuple(parameter.shape)}, found {found}: another {other}: set it as "
                "it was, or start a new run"
            )
            raise ConfigError(msg)
    files.read([file], parameters, world)


def _load_adapters(folder: Path, learned: Learned, world: World) -> None:
    """Put the adapters back. Raises ConfigError where those of the run have been merged into other weights than they
    would be now, or it has none.
    """
    if not (folder / ADAPTERS_FILE).is_file():
        msg = (
            f"{folder}: this run trains all weights, not adapters: leave lora.rank out, or start a new run with "
            "model.start_from set to this one"
        )
        raise ConfigError(msg)
    load_weights(folder / ADAPTERS_FILE, learned.parameters(), world)
    own = merged({name: one.detach() for name, one in learned.model.named_parameters()}, learned.scale)
    saved = files.shapes([folder / WEIGHTS_FILE])
    same = all(name in saved and saved[name].shape == weight.shape for name, weight in own.items())
    if same:
        before = {name: torch.empty_like(weight) for name, weight in own.items()}
        files.read([folder / WEIGHTS_FILE], before, world)
        other = sum(not _are_near(local(before[name]), local(weight)) for name, weight in own.items())
        same = not int(world.sum(torch.tensor(other)))
    if not same:
        msg = (
            f"{folder}: its adapters were learned beside other weights than model.start_from has now, or count "
            "otherwise: set it and lora.alpha as they were, or start a new run"
        )
        raise ConfigError(msg)


def _are_near(before: torch.Tensor, now: torch.Tensor) -> bool:
    """But for the rounding of a product of adapters on another device."""
    return torch.allclose(before, now, rtol=1e-4, atol=1e-6)


def read_state(folder: Path) -> TrainingState:
    """The plain values of a checkpoint: step, data position, configuration. Raises DataError where they are damaged."""
    return Storage(str(folder)).read_record(STATE, lambda state: typed(TrainingState, state), REMEDY)


def _write_config(model: Qwen3, folder: Path) -> None:
    from transformers import GenerationConfig

    config = model.config
    config.architectures = [type(model).__name__]
    config.dtype = "float32"
    config.save_pretrained(folder)
    GenerationConfig(eos_token_id=config.eos_token_id).save_pretrained(folder)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
