"""Per-step metrics: loss of each task, speed, packing, memory; written as JSON lines and for TensorBoard.

RUN/metrics.jsonl       one line for each step
RUN/tensorboard/        tensorboard --logdir RUN
"""

import json
import math
import resource
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch

from curation.core.stores.naming import writing
from curation.train.data.batch import Task
from curation.train.model.qwen3 import Config

FILE = "metrics.jsonl"
PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "4090": 165e12}
"""Dense bfloat16 operations a second, from the makers' data sheets, by a part of the device's name."""


@dataclass(slots=True)
class StepMetrics:
    """One optimizer step over all processes."""

    step: int
    loss: float
    """Mean over all answer tokens."""
    losses: dict[Task, float]
    """The same for each task; tasks without an answer are left out."""
    learning_rate: float
    grad_norm: float
    tokens: int
    """Tokens trained on since the first step, prompts included, padding never."""
    answer_tokens: int
    """Tokens of this step that the loss covers."""
    tokens_per_second: float
    packing: float
    """Share of the rows' token budget that holds tokens."""
    wait: float
    """Share of the time spent waiting for data, on the first process."""
    peak_gib: float
    """Most memory so far: of the GPU, else of the process."""
    mfu: float | None = None
    """Share of the GPU's peak that the model's own operations use; None on a CPU."""
    validation: dict[Task, float] | None = None
    """After this step, the mean loss of each task on `run.validation`; None where it was not measured."""

    def as_line(self) -> dict[str, Any]:
        """Plain values for a line of JSON."""
        return {name: value for name, value in asdict(self).items() if value is not None}


class Metrics(Protocol):
    """What a run records of each step."""

    step: int

    def as_line(self) -> dict[str, Any]:
        """Plain values for a line of JSON; a dictionary holds a value for each task."""
        ...


CURVES = {"losses": "loss", "rewards": "reward", "errors": "error"}
"""Names of curves by task where they differ from those of the values."""


@dataclass
class SpikeWatch:
    """Stops at a loss that is not a number or jumps: keeps a running mean and variance for each task.

    A jump must be far outside the range of the task's steps: where a step has one short answer, a wrong transcript
    alone multiplies the loss.
    """

    factor: float | None
    means: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    variances: dict[str, float] = field(default_factory=dict)
    MEMORY = 0.98
    DEVIATIONS = 6
    SETTLED = 50
    """Steps before a jump can be distinguished from the noise of the start."""

    def limit(self, task: Task) -> float:
        """The loss of a task above which a step is refused; infinite where nothing is known yet."""
        mean = self.means.get(task)
        if not self.factor or mean is None or self.steps <= self.SETTLED:
            return math.inf
        usual = mean + self.DEVIATIONS * math.sqrt(self.variances.get(task, 0.0))
        return max(self.factor * mean + 0.5, usual)

    def problem(self, losses: dict[Task, float], grad_norm: float) -> str | None:
        """The fault of this step, in words, or None."""
        for task, loss in losses.items():
            if not math.isfinite(loss):
                return f"the {task} loss is {loss}"
            if loss > self.limit(task):
                mean = self.means[task]
                return f"the {task} loss jumped to {loss:.3f} from a running mean of {mean:.3f} (run.spike_factor)"
        return None if math.isfinite(grad_norm) else f"the norm of the gradient is {grad_norm}"

    def take(self, losses: dict[Task, float]) -> None:
        """Count a good step in."""
        self.steps += 1
        for task, loss in losses.items():
            mean, variance = self.means.get(task, loss), self.variances.get(task, 0.0)
            self.means[task] = self.MEMORY * mean + (1 - self.MEMORY) * loss
            self.variances[task] = self.MEMORY * (variance + (1 - self.MEMORY) * (loss - mean) ** 2)

    def state(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {"means": self.means, "steps": self.steps, "variances": self.variances}


class Recorder:
    """Writes metrics; lines of steps that are repeated after an interruption are dropped first. Raises StorageError."""

    def __init__(self, run: Path, *, first_step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        run.mkdir(parents=True, exist_ok=True)
        path = run / FILE
        kept = [line for line in _lines(path) if line["step"] < first_step]
        temporary = run / f".{FILE}"
        self._path = str(path)
        with writing(self._path):
            temporary.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            temporary.replace(path)
            self._file = path.open("a", encoding="utf-8")
            self._board = SummaryWriter(str(run / "tensorboard"), purge_step=first_step)

    def write(self, metrics: Metrics) -> None:
        """Append a step."""
        line = metrics.as_line()
        with writing(self._path):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            for name, value in line.items():
                if isinstance(value, dict):
                    for task, one in value.items():
                        self._board.add_scalar(f"{CURVES.get(name, name)}/{task}", one, metrics.step)
                elif name != "step":
                    self._board.add_scalar("loss/all" if name == "loss" else f"train/{name}", value, metrics.step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with writing(self._path):
            self._file.close()
            self._board.close()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """The lines of a run, in order; a last line cut short by a kill is left out."""
    return _lines(run / FILE)


def _lines(path: Path) -> list[dict[str, Any]]:
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def peak_gib(device: torch.device) -> float:
    """Most memory used so far, in GiB."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**30
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 2**20


def model_flops(config: Config, parameters: int, lengths: list[int], answers: int) -> float:
    """Operations of forward and backward of a packed row, recomputation not counted: 6 for each weight and token
    (the output layer: for each answer), and 12 x width for each layer and pair of tokens that attend.
    """
    output = config.vocab_size * config.hidden_size
    pairs = sum(length * length for length in lengths) / 2
    attention = 12 * config.num_hidden_layers * config.num_attention_heads * config.head_dim * pairs
    return 6.0 * ((parameters - output) * sum(lengths) + output * answers) + attention


def peak_flops(device: torch.device) -> float | None:
    """Peak of a known GPU in bfloat16, or None."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAK_FLOPS.items() if part in name), None)
