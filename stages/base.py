"""The interface of a stage: declarations, a configuration, `setup` once per process, `process` per batch of recordings.

A stage gives back one result per input, in order (it changes the records in place). It never drops anything, and it
knows nothing of Ray. `run_stage` gives it one recording at a time, or a whole batch where the stage says `batched`:
then, when it raises, `run_stage` calls it again row by row, so that only the bad recording fails.

To add a stage: a file here (or a folder with `stage.py`) with a class that sets `name`, `section` and `after`, and a
field for its section in `BuildConfig`; or the same class in a package of your own with an entry point in the group
`curation.stages`, whose section becomes a field automatically:

    class Pitch(Stage):
        name, section, after = "pitch", PitchConfig, "diarize"
        scores = (Score("pitch.median", "Hz", "median pitch of the voiced frames"),)

        def process(self, batch):
            for recording in batch:
                for segment in recording.live_segments:
                    segment.scores["pitch.median"] = median_pitch(segment.audio)
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from curation.core.declarations import Declared, Use
from curation.core.errors import StorageError
from curation.manifests.records import Recording, fail

log = logging.getLogger(__name__)

DECIMALS = 4
"""Stored probabilities and scores are rounded to this many decimals."""


class Stage(Declared, ABC):
    """One processing step. Subclasses set `name` and implement `process`; models are loaded in `setup`."""

    name: ClassVar[str]
    """Its section in the configuration, and the first part of its scores and notes."""
    after: ClassVar[str] = ""
    """The stage that it follows; a plug-in runs before the stage of this repository that follows the same one."""
    on_by_default: ClassVar[bool] = False
    """Whether a plug-in runs where the configuration does not name it."""
    batched: ClassVar[bool] = False
    """True where recordings are worked on together. `process` must then be idempotent: called again on the same
    recordings, it gives the same result."""

    @classmethod
    def adapters(cls, section: Any) -> list[Use]:  # noqa: ARG003 - for subclasses
        """The model adapters that the stage uses with these settings."""
        return []

    def setup(self) -> None:
        """Load models. Called once in each worker process, before the first `process`."""

    @abstractmethod
    def process(self, batch: Sequence[Recording]) -> None:
        """Process the recordings in place. None of them has a verdict."""


def run_stage(stage: Stage, batch: Sequence[Recording]) -> None:
    """Run `stage` on the recordings without a verdict; a recording on which it raises becomes `failed`."""
    live = [recording for recording in batch if recording.verdict is None]
    if stage.batched and len(live) > 1:
        try:
            stage.process(live)
        except StorageError:
            raise
        except Exception:
            log.exception("stage %s failed on a batch of %d recordings: retrying each alone", stage.name, len(live))
        else:
            return
    for recording in live:
        _run_alone(stage, recording)


def _run_alone(stage: Stage, recording: Recording) -> None:
    try:
        stage.process([recording])
    except StorageError:
        raise
    except Exception as error:
        log.exception("stage %s failed on %s", stage.name, recording.source.path)
        recording.verdict = fail(stage.name, error)
        recording.segments = []
        recording.audio = recording.original = None
