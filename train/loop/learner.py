"""A model in training: its optimizer, and checkpoints to resume from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from curation.core.errors import DataError, UserError
from curation.train.checkpoint import places
from curation.train.checkpoint import training as checkpoint
from curation.train.checkpoint.speech_info import SpeechInfo
from curation.train.config import TrainConfig
from curation.train.device import in_bfloat16
from curation.train.distributed import Kind, World, distribute
from curation.train.loop import metrics
from curation.train.loop.optimizer import learning_rate, make_optimizer, set_learning_rate
from curation.train.loop.stopping import Told, never
from curation.train.model.loss import AnswerModel
from curation.train.model.qwen3 import Qwen3, num_parameters


class Source(Protocol):
    """Where this process's samples come from, with a position that can be saved."""

    def state_dict(self) -> dict[str, Any]:
        """The position after the samples handed over so far."""
        ...

    def merge_states(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The position of all processes together, from that of each."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the merged position of all processes."""
        ...


class BadBatchError(UserError, RuntimeError):
    """The loss or the gradient of a step is invalid. The message names the samples."""


@dataclass
class Learner:
    """`run` is the folder of checkpoints and metrics."""

    config: TrainConfig
    model: Qwen3
    """On the world's device."""
    loader: Source
    speech: SpeechInfo
    run: Path
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        """Distribute the model and make the optimizer."""
        settings = self.config.model
        if settings.activation_checkpointing:
            self.model.activation_checkpointing_enable({"use_reentrant": False})
        module = AnswerModel(self.model)
        if settings.compile:
            for layer in self.model.model.layers:
                layer.compile(dynamic=True)
        self.num_parameters = num_parameters(self.model)
        half = in_bfloat16(self.world.device, self.config.run.precision)
        self.module = distribute(module, self.model.model.layers, self.parallel, self.world, half=half).train()
        self.optimizer = make_optimizer(self.model, self.config)
        self.watch = metrics.SpikeWatch(self.config.run.spike_factor)
        self.step, self.tokens = 0, 0
        self.told: Told = never
        """Asked once a step; where any process was told to end, all end after that step."""
        self.stopped = False
        """Whether the run has ended early because of that."""

    @property
    def parallel(self) -> Kind:
        """How processes share the model."""
        chosen = self.config.run.parallel
        return ("fsdp2" if self.config.model.preset == "3b" else "ddp") if chosen == "auto" else chosen

    def resume(self) -> bool:
        """Restore the last checkpoint of the run, if there is one. Raises DataError where it is damaged."""
        folder = places.latest(self.run)
        if folder is None:
            return False
        state = checkpoint.restore(folder, self._learned, self.world)
        self.step, self.tokens = state.step, state.tokens
        self.watch = metrics.SpikeWatch(self.config.run.spike_factor, **asdict(state.watch))
        try:
            self.loader.load_state_dict(state.data)
        except DataError as error:
            msg = f"{folder / checkpoint.STATE}: {error}"
            raise DataError(msg) from error
        return True

    def save(self) -> None:
        """Write a checkpoint; all processes take part."""
        state = {
            "step": self.step,
            "tokens": self.tokens,
            "data": self.loader.merge_states(self.world.gather(self.loader.state_dict())),
            "watch": self.watch.state(),
            "tokenizers": self.speech.tokenizers.fingerprint,
            "vocabulary": self.speech.vocabulary.fingerprint,
            "config": self.config.model_dump(mode="json"),
        }
        checkpoint.save(self._learned, state, self.speech, self.run, self.world, keep_last=self.config.run.keep_last)

    @property
    def _learned(self) -> checkpoint.Learned:
        return checkpoint.Learned(self.model, self.optimizer, self.config.lora.scale)

    def descend(self, refused: torch.Tensor | None = None) -> float:
        """Change the weights by their gradient, at the rate of the schedule; gives the rate. Nothing is changed where
        `refused`, a number on the device, is 1.
        """
        rate = learning_rate(self.step, self.config)
        set_learning_rate(self.optimizer, rate)
        self.optimizer.found_inf = refused  # type: ignore[attr-defined]  # what fused AdamW heeds, as GradScaler sets it
        self.optimizer.step()
        self.optimizer.zero_grad()
        return rate
