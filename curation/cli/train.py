"""`curation train`: from shards to a checkpoint."""

import os
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.console import Console

from curation.cli.options import EXIT_ERROR, ConfigFile, Overrides, console, errors_explained

if TYPE_CHECKING:
    from collections.abc import Mapping

    from curation.train.data.batch import Task
    from curation.train.loop.metrics import StepMetrics
    from curation.train.run import Trained

LOG_SECONDS = 30.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(train)


def train(
    shards: Annotated[str, typer.Argument(metavar="SHARDS", help="a finished build, or its folder of shards")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", help="folder of the run")],
    config: ConfigFile = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
) -> None:
    """Train a model on shards, or go on with a run that was interrupted. For several processes start it with
    `torchrun -m curation train ...`, or set ray.workers.
    """
    from curation.core.errors import ConfigError

    with errors_explained():
        from curation.core.errors import DataError
        from curation.train.config import load_training_config
        from curation.train.loop.trainer import BadBatchError
        from curation.train.run import settings_of

        try:
            settings = load_training_config(config, overrides=overrides, base=settings_of(output))
            done = _run(shards, output, settings)
        except DataError as error:
            raise ConfigError(str(error)) from None
        except BadBatchError as error:
            console.print(f"[red]stopped:[/] {error}", highlight=False, soft_wrap=True)
            raise typer.Exit(EXIT_ERROR) from None
    if os.environ.get("RANK", "0") == "0":
        _print_end(done, output)


def _run(shards: str, output: Path, settings: Any) -> "Trained":
    if settings.ray.workers:
        from curation.train.ray import train_on_ray as train_run
    else:
        from curation.train.run import train_run
    with TrainProgress(console, settings.run.steps) as progress:
        return train_run(shards, output, settings, progress.on_step)


def _print_end(done: "Trained", output: Path) -> None:
    console.print(f"step {done.step}: {done.checkpoint or 'nothing was trained'}", highlight=False, soft_wrap=True)
    left_out = sum(done.data.get("over_long", {}).values())
    if left_out:
        console.print(
            f"[yellow]{left_out} samples were longer than data.token_budget or data.max_sample_tokens and left out"
            f"[/] (the longest has {done.data['longest']} tokens)"
        )
    console.print(f"curves: tensorboard --logdir {output}", highlight=False, soft_wrap=True)


class TrainProgress:
    """A progress bar with loss and speed; on a log, where nobody sees bars move, a line every half minute."""

    def __init__(self, console: Console, steps: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Left

        self._console, self._steps, self._logged = console, steps, 0.0
        columns = TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}")
        self._progress = Progress(*columns, TimeElapsedColumn(), TextColumn("left"), Left(), console=console)
        self._task = self._progress.add_task("train", total=steps, note="")

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def on_step(self, metrics: "StepMetrics") -> None:
        """Show a step."""
        import time

        note = f"loss {metrics.loss:.3f} ({_by_task(metrics.losses)}), {metrics.tokens_per_second:,.0f} tokens/s"
        self._progress.update(self._task, completed=metrics.step, note=note)
        if not self._console.is_terminal and time.monotonic() - self._logged > LOG_SECONDS:
            self._logged = time.monotonic()
            self._console.print(f"step {metrics.step} of {self._steps}: {note}", highlight=False, soft_wrap=True)
        if metrics.validation:
            held_out = f"step {metrics.step}: loss on run.validation {_by_task(metrics.validation)}"
            self._console.print(held_out, highlight=False, soft_wrap=True)


def _by_task(losses: "Mapping[Task, float]") -> str:
    return " ".join(f"{task} {loss:.3f}" for task, loss in losses.items())
