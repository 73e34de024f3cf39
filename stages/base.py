"""What a stage is: a configuration, `setup` once per process, and `process` for a batch of recordings.

A stage gives back one result per input, in order (it changes the records in place). It never drops anything, and it
knows nothing of Ray. `run_stage` gives it one recording at a time, or a whole batch where the stage says `batched`:
then, when it raises, `run_stage` calls it again row by row, so that one bad recording costs only itself.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from curation.manifests.records import Recording, fail

log = logging.getLogger(__name__)

DECIMALS = 4
"""Stored probabilities and scores are rounded to this many decimals."""


class Stage(ABC):
    """One processing step. Subclasses set `name` and implement `process`; models are loaded in `setup`."""

    name: ClassVar[str]
    batched: ClassVar[bool] = False
    """True where recordings are worked on together. `process` must then be idempotent: called again on recordings
    that it has seen, it gives the same result."""

    def setup(self) -> None:  # noqa: B027 - many stages have nothing to load
        """Load models. Called once in each worker process, before the first `process`."""

    @abstractmethod
    def process(self, batch: Sequence[Recording]) -> None:
        """Work on the recordings in place. Recordings that have a verdict never arrive here."""


def run_stage(stage: Stage, batch: Sequence[Recording]) -> None:
    """Run `stage` on the recordings without a verdict; a recording on which it raises becomes `failed`."""
    live = [recording for recording in batch if recording.verdict is None]
    if stage.batched and len(live) > 1:
        try:
            stage.process(live)
        except Exception:
            log.exception("stage %s failed on a batch of %d recordings: each is tried alone", stage.name, len(live))
        else:
            return
    for recording in live:
        _run_alone(stage, recording)


def _run_alone(stage: Stage, recording: Recording) -> None:
    try:
        stage.process([recording])
    except Exception as error:
        log.exception("stage %s failed on %s", stage.name, recording.source.path)
        recording.verdict = fail(stage.name, error)
        recording.segments = []
        recording.audio = None
