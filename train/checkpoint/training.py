"""Checkpoints: everything that a resumed run needs to continue exactly, in one folder.

    RUN/checkpoints/step-00000100/
        config.json  generation_config.json  model.safetensors       as transformers has them
        tokenizer.json  added_tokens.json  tokenizer_config.json     the vocabulary
        speech_tokenizers.json                                       where its speech codes come from
        optimizer.safetensors  rng.safetensors                       moments, random state of each process
        adapters.safetensors                                         of LoRA; in model.safetensors they are merged
        training.json                                                step, data position, configuration
        complete                                                     empty, written last

A folder is written beside its place and renamed, so that a reader sees all of it or none.
"""

import json
import os
import random
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import save_file
from torch import nn

from curation.core.errors import ConfigError, DataError
from curation.core.records import Count, Finite, typed
from curation.core.storage import Storage
from curation.tokenize.files import key_problems, read_tensors
from curation.train.checkpoint.speech_info import SpeechInfo
from curation.train.distributed import World, copy_full, full_tensor
from curation.train.model.lora import merged
from curation.train.model.qwen3 import Qwen3

FOLDER = "checkpoints"
MARKER = "complete"
STATE = "training.json"
WEIGHTS_FILE = "model.safetensors"
MOMENTS_FILE = "optimizer.safetensors"
RNG_FILE = "rng.safetensors"
ADAPTERS_FILE = "adapters.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")
Tensors = dict[str, torch.Tensor]


REMEDY = "restore the checkpoint from a copy, or remove its folder to go on from the one before"
Word = Annotated[int, Field(ge=0, lt=2**32)]
"""Of the state of a random generator."""


@dataclass(frozen=True, slots=True)
class WatchState:
    """What `SpikeWatch` remembers of the losses, by task."""

    means: dict[str, Finite]
    steps: Count
    variances: dict[str, Annotated[Finite, Field(ge=0)]]


@dataclass(frozen=True, slots=True)
class RandomState:
    """Of NumPy (words, position, what is left of a pair of normal deviates) and of Python."""

    numpy: tuple[
        Annotated[list[Word], Field(min_length=624, max_length=624)], Annotated[int, Field(ge=0, le=624)], int, float
    ]
    python: tuple[int, list[Word], float | None]


@dataclass(frozen=True, slots=True)
class TrainingState:
    """The plain values of a checkpoint."""

    step: Count
    tokens: Count
    """Trained on since the first step."""
    data: dict[str, Any]
    """Position of the loader."""
    watch: WatchState
    rng: RandomState
    world: int
    """Processes of the run that saved it."""
    tokenizers: str
    vocabulary: str
    config: dict[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """The saved state, gathered from all processes; only the first one holds it."""

    step: int
    weights: Tensors
    adapters: Tensors
    """Low-rank adapters, which are merged into the weights too."""
    optimizer: Tensors
    rng: Tensors
    state: dict[str, Any]


def latest(run: Path) -> Path | None:
    """The newest complete checkpoint of a run."""
    found = complete(run)
    return found[-1] if found else None


def complete(run: Path) -> list[Path]:
    """All complete checkpoints, oldest first."""
    return [path.parent for path in sorted((run / FOLDER).glob(f"step-*/{MARKER}"))]


def resolve_checkpoint(where: str) -> Path:
    """A checkpoint folder, or the last one of a run. Raises ConfigError where there is none."""
    folder = Path(where).expanduser()
    if (folder / "config.json").is_file():
        return folder
    found = latest(folder)
    if found is None:
        msg = f"{where}: no checkpoint there: give a folder with config.json, or a run that has saved one"
        raise ConfigError(msg)
    return found


def take_snapshot(
    model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any], world: World, scale: float = 0.0
) -> Snapshot:
    """Gather the state to save. All processes take part; `state` holds plain values, `scale` is that of adapters."""
    weights, moments = {}, {}
    for name, parameter in model.named_parameters():
        weights[name] = _kept(full_tensor(parameter.detach()), world)
        for key, value in optimizer.state[parameter].items() if parameter.requires_grad else ():
            moments[f"{key}/{name}"] = _kept(full_tensor(value), world)
    adapters = {name: weight for name, weight in weights.items() if ".lora_" in name}
    rng = {f"{name}/{rank}": value for rank, own in enumerate(world.gather(_rng())) for name, value in own.items()}
    plain = merged(weights, scale) if adapters and world.first else weights
    return Snapshot(state["step"], plain, adapters, moments, rng, state | {"world": world.size, "rng": _plain_rng()})


def save(snapshot: Snapshot, model: Qwen3, speech: SpeechInfo, run: Path, *, keep_last: int) -> Path:
    """Write a checkpoint and delete older ones. Only the first process calls this."""
    root = run / FOLDER
    root.mkdir(parents=True, exist_ok=True)
    for left in root.glob(".*"):
        shutil.rmtree(left)  # of a run that was killed while saving
    folder, temporary = root / f"step-{snapshot.step:08d}", root / f".step-{snapshot.step:08d}"
    temporary.mkdir()
    _write_model(model, snapshot.weights, temporary)
    speech.save(temporary)
    if snapshot.adapters:
        save_file(snapshot.adapters, temporary / ADAPTERS_FILE)
    save_file(snapshot.optimizer, temporary / MOMENTS_FILE)
    save_file(snapshot.rng, temporary / RNG_FILE)
    (temporary / STATE).write_text(json.dumps(snapshot.state, indent=1), encoding="utf-8")
    for path in temporary.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner only, and others may serve the model
        _sync(path)
    (temporary / MARKER).touch()
    if folder.exists():
        shutil.rmtree(folder)  # incomplete, else training would have resumed from it
    temporary.rename(folder)
    _sync(root)
    for old in complete(run)[:-keep_last]:
        (old / MARKER).unlink()
        shutil.rmtree(old)
    return folder


def restore(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, world: World) -> TrainingState:
    """Put weights, moments and random states back, also with another number of processes; returns the state.

    Raises DataError where a file is damaged, ConfigError where it is of another preset or vocabulary.
    """
    state = read_state(folder)
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if any(".lora_" in name for name in parameters):
        _check_base(folder, model)
        load_weights(folder / ADAPTERS_FILE, parameters)
    elif (folder / ADAPTERS_FILE).is_file():
        msg = (
            f"{folder}: this run trains adapters: set lora.rank as it was, or start a new run from its last checkpoint"
        )
        raise ConfigError(msg)
    else:
        load_weights(folder / WEIGHTS_FILE, parameters)
    moments = read_tensors(folder / MOMENTS_FILE)
    expected = {f"{key}/{name}": one for key in MOMENTS for name, one in parameters.items()}
    problems = key_problems(expected | {f"step/{name}": torch.zeros(()) for name in parameters}, moments, ())
    if not moments:  # nothing has been learned yet
        parameters = {}
    elif problems:
        msg = f"{folder / MOMENTS_FILE} is damaged ({'; '.join(problems)}): {REMEDY}"
        raise DataError(msg)
    for name, parameter in parameters.items():
        own = optimizer.state[parameter]
        own["step"] = moments[f"step/{name}"].float().to(parameter.device)
        for key in MOMENTS:
            own[key] = torch.zeros_like(parameter, requires_grad=False)
            copy_full(own[key], moments[f"{key}/{name}"])
    _set_rng(folder, state.rng, world)
    return state


def load_weights(file: Path, parameters: Mapping[str, nn.Parameter]) -> None:
    """Put the weights of a file into parameters that may be spread over processes."""
    weights = read_tensors(file)
    for name, parameter in parameters.items():
        if name not in weights or weights[name].shape != parameter.shape:
            found = tuple(weights[name].shape) if name in weights else "nothing"
            other = "another lora.rank" if file.name == ADAPTERS_FILE else "another preset or vocabulary"
            msg = f"{file.parent}: {name} should be {tuple(parameter.shape)}, found {found}: {other}"
            raise ConfigError(msg)
        copy_full(parameter, weights[name].to(parameter.dtype))


def _check_base(folder: Path, model: nn.Module) -> None:
    """Raise ConfigError where adapters of the checkpoint were learned beside other weights than the model has."""
    weights = read_tensors(folder / WEIGHTS_FILE)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad and name in weights:  # matrices with an adapter have other names
            own = full_tensor(parameter.detach()).cpu()
            if not torch.equal(weights[name].to(own.dtype), own):
                msg = (
                    f"{folder}: its adapters were learned beside other weights than model.start_from has now: set it "
                    "to those, or start a new run"
                )
                raise ConfigError(msg)


def read_state(folder: Path) -> TrainingState:
    """The plain values of a checkpoint: step, data position, configuration. Raises DataError where they are damaged."""
    return Storage(str(folder)).read_record(STATE, lambda state: typed(TrainingState, state), REMEDY)


def _write_model(model: Qwen3, weights: Tensors, folder: Path) -> None:
    from transformers import GenerationConfig

    config = model.config
    config.architectures = [type(model).__name__]
    config.dtype = "float32"
    config.save_pretrained(folder)
    GenerationConfig(eos_token_id=config.eos_token_id).save_pretrained(folder)
    save_file(weights, folder / WEIGHTS_FILE, metadata={"format": "pt"})


def _kept(tensor: torch.Tensor, world: World) -> torch.Tensor:
    """On the CPU of the first process; the others only helped to gather it."""
    return tensor.detach().cpu().contiguous() if world.first else torch.empty(0)


def _rng() -> Tensors:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _plain_rng() -> dict[str, Any]:
    _, numbers, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - the global state is what is saved
    version, mine, gauss = random.getstate()
    return {"numpy": [np.asarray(numbers).tolist(), *rest], "python": [version, list(mine), gauss]}


def _set_rng(folder: Path, plain: RandomState, world: World) -> None:
    tensors = read_tensors(folder / RNG_FILE)
    numbers, position, has_gauss, gauss = plain.numpy
    version, mine, normal = plain.python
    try:
        if f"cpu/{world.rank}" in tensors:  # processes beyond those of the saved run keep their own
            torch.set_rng_state(tensors[f"cpu/{world.rank}"])
        if torch.cuda.is_available() and f"cuda/{world.rank}" in tensors:
            torch.cuda.set_rng_state(tensors[f"cuda/{world.rank}"])
        np.random.set_state(("MT19937", np.array(numbers, np.uint32), position, has_gauss, gauss))  # noqa: NPY002
        random.setstate((version, tuple(mine), normal))
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        msg = f"{folder}: the random states in {RNG_FILE} and {STATE} are damaged ({error}): {REMEDY}"
        raise DataError(msg) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
