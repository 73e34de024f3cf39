"""What a stage is: a configuration, `setup` once per process, and `process` for a batch of recordings.

A stage gives back one result per input, in order (it changes the records in place). It never drops anything, and it
knows nothing of Ray. `process` must be idempotent: when it raises, `run_stage` calls it again row by row, so that
one bad recording costs only itself.
"""

import logging
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from curation.manifests.records import Recording, fail

log = logging.getLogger(__name__)


class StageConfig(BaseModel):
    """Base of every configuration section: unknown keys are errors, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def threshold(default: float | int | None, description: str, **limits: Any) -> Any:
    """A field that only decides what is kept: changing it re-runs the publish pass and no model."""
    return Field(default, description=description, json_schema_extra={"pass": "publish"}, **limits)


class Stage:
    """One processing step. Subclasses set `name` and implement `process`; models are loaded in `setup`."""

    name: ClassVar[str]

    def setup(self) -> None:
        """Load models. Called once in each worker process, before the first `process`."""

    def process(self, batch: Sequence[Recording]) -> None:
        """Work on the recordings in place. Recordings that have a verdict never arrive here."""
        raise NotImplementedError


def run_stage(stage: Stage, batch: Sequence[Recording]) -> None:
    """Run `stage` on the recordings without a verdict; a recording on which it raises becomes `failed`."""
    live = [recording for recording in batch if recording.verdict is None]
    if not live:
        return
    try:
        stage.process(live)
    except Exception as error:  # noqa: BLE001 - any error of a stage belongs to the row that caused it
        if len(live) == 1:
            log.exception("stage %s failed on %s", stage.name, live[0].source.path)
            _mark_failed(live[0], stage.name, error)
            return
        for recording in live:
            run_stage(stage, [recording])


def _mark_failed(recording: Recording, stage: str, error: Exception) -> None:
    recording.verdict = fail(stage, error)
    recording.segments = []
    recording.audio = None
