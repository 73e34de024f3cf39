"""Progress of long commands: bars on a terminal; in a log, where nobody sees them move, a line every half minute."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from curation.cli.tables import hours

if TYPE_CHECKING:
    from curation.pipeline import job
    from curation.train.data.batch import Task
    from curation.train.loop.metrics import StepMetrics
    from curation.train.posttrain.loop import PosttrainMetrics

LOG_SECONDS = 30.0
WIDE = 120
"""Columns of a terminal that has room for a bar beside losses and speed."""
STEPS = {
    "label": "labelling",
    "judge": "selecting",
    "ledger": "accounting",
    "shards": "writing shards",
    "rewrite": "taking out what was labelled again",
}


class _Bars:
    """One bar for each step; it appears with the step's first report, so that a process without reports shows none."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        self._console = console
        self._logged = time.monotonic()
        self._progress = Progress(TextColumn("{task.description:<14}"), *columns, console=console)
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def _bar(self, name: str, total: float) -> TaskID:
        self._progress.start()
        if name not in self._bars:
            self._bars[name] = self._progress.add_task(name, total=total, note="")
        return self._bars[name]

    def _log(self, line: str) -> None:
        if not self._console.is_terminal and time.monotonic() - self._logged > LOG_SECONDS:
            self._logged = time.monotonic()
            self._console.print(line, soft_wrap=True)


def _counting(console: Console, *, bar: bool = True) -> tuple[Any, ...]:
    """Where a line is too narrow the note goes on in the next one; numbers are never cut."""
    bars, whole = (
        (BarColumn(bar_width=20), TimeElapsedColumn(Column(no_wrap=True))) if bar else (),
        Column(no_wrap=True),
    )
    note, left = TextColumn("{task.fields[note]}", table_column=Column()), TextColumn("left")
    return (console, *bars, MofNCompleteColumn(table_column=whole), left, TimeRemainingColumn(table_column=whole), note)


class BuildProgress(_Bars):
    """Progress of a build."""

    def __init__(self, console: Console) -> None:
        super().__init__(*_counting(console))

    def on_progress(self, progress: "job.Progress") -> None:
        """Show how far a step is."""
        name, done, total = STEPS[progress.step], progress.done, progress.total
        note = f"{hours(progress.audio_seconds)} of audio" if progress.audio_seconds else ""
        self._progress.update(self._bar(name, total), completed=done, note=note)
        self._log(f"{name}: {done} of {total} done, {note}")


class FitProgress(_Bars):
    """Progress of fitting tokenizers, by the fraction of a step that is done."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn())

    def on_step(self, step: str, fraction: float) -> None:
        """Show how far a step is."""
        self._progress.update(self._bar(step, 1.0), completed=fraction)
        self._log(f"{step}: {fraction:.0%} done")


class TrainProgress(_Bars):
    """Progress of training, with loss and speed."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__(*_counting(console, bar=console.width >= WIDE))
        self._steps = steps

    def on_step(self, metrics: "StepMetrics") -> None:
        """Show a step."""
        note = f"loss {metrics.loss:.3f} ({_by_task(metrics.losses)}), {metrics.tokens_per_second:,.0f} tokens/s"
        self._progress.update(self._bar("training", self._steps), completed=metrics.step, note=note)
        self._log(f"step {metrics.step} of {self._steps}: {note}")
        if metrics.validation:
            held_out = f"step {metrics.step}: loss on run.validation {_by_task(metrics.validation)}"
            self._console.print(held_out, soft_wrap=True)


class PosttrainProgress(_Bars):
    """Progress of post-training, with rewards and what they are made of."""

    def __init__(self, console: Console, steps: int) -> None:
        super().__init__(*_counting(console, bar=console.width >= WIDE))
        self._steps = steps

    def on_step(self, metrics: "PosttrainMetrics") -> None:
        """Show a step."""
        kl = "" if metrics.kl is None else f", KL {metrics.kl:.4f}"
        failed = f", {metrics.failed} not judged" if metrics.failed else ""
        note = f"reward {_by_task(metrics.rewards)}, WER {_by_task(metrics.errors)}{kl}{failed}"
        self._progress.update(self._bar("post-training", self._steps), completed=metrics.step, note=note)
        self._log(f"step {metrics.step} of {self._steps}: {note}")


def _by_task(losses: "Mapping[Task, float]") -> str:
    return " ".join(f"{task} {loss:.3f}" for task, loss in losses.items())
