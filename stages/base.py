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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from curation.core.declarations import Declared, Use
from curation.core.errors import StorageError
from curation.manifests.records import Recording, Verdict, fail

log = logging.getLogger(__name__)

DECIMALS = 4
"""Stored probabilities and scores are rounded to this many decimals."""
NOISE_DECIMALS = 9
"""Scores with a threshold keep this many: only the noise of floating point may not decide."""


class Stage(Declared, ABC):
    """One processing step. Subclasses set `name` and implement `process`; models are loaded in `setup`."""

    name: ClassVar[str]
    """Its section in the configuration, and the first part of its scores and notes."""
    after: ClassVar[str] = ""
    """The stage that it follows; a plug-in runs before the stage of this repository that follows the same one."""
    on_by_default: ClassVar[bool] = False
    """Whether a plug-in runs where the configuration does not name it."""
    hears_spans: ClassVar[bool] = False
    """Whether it hears whole spans, which stages up to `diarize` can anyway: their audio is let go of behind the last
    stage that says so.
    """
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


class Branched(Stage):
    """A stage whose adapters work on the same recordings apart from each other: on a cluster, each has workers of its
    own.
    """

    batched = True

    @property
    @abstractmethod
    def branches(self) -> Sequence[str]:
        """A name for each. The first may write into the recordings what the others read; the others only read."""

    @abstractmethod
    def setup_branch(self, name: str) -> None:
        """Load the models of a branch."""

    @abstractmethod
    def branch(self, name: str, batch: Sequence[Recording]) -> list[Any]:
        """What a branch finds: one result for each recording."""

    @abstractmethod
    def join(self, batch: Sequence[Recording], found: Mapping[str, Sequence[Any]]) -> None:
        """Put together what each branch found in the recordings."""

    def setup(self) -> None:
        """Load the models of all branches."""
        for name in self.branches:
            self.setup_branch(name)

    def process(self, batch: Sequence[Recording]) -> None:
        """All branches one after the other."""
        self.join(batch, {name: self.branch(name, batch) for name in self.branches})


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for the result of a recording on which a branch raised, or which killed the worker of the branch."""

    verdict: Verdict


def run_stage(stage: Stage, batch: Sequence[Recording]) -> None:
    """Run `stage` on the recordings without a verdict; a recording on which it raises becomes `failed`."""
    _run(stage, stage.process, batch)


def _run(stage: Stage, process: Callable[[Sequence[Recording]], None], batch: Sequence[Recording]) -> None:
    live = [recording for recording in batch if recording.verdict is None]
    if stage.batched and len(live) > 1:
        try:
            process(live)
        except StorageError:
            raise
        except Exception:
            log.exception("stage %s failed on a batch of %d recordings: retrying each alone", stage.name, len(live))
        else:
            return
    for recording in live:
        try:
            process([recording])
        except StorageError:
            raise
        except Exception as error:
            log.exception("stage %s failed on %s", stage.name, recording.source.path)
            recording.exclude(fail(stage.name, error))


def run_branch(stage: Branched, name: str, batch: Sequence[Recording]) -> list[Any]:
    """The results of a branch: one for each recording, and `Broken` for those with a verdict or where it raises."""
    live = [recording for recording in batch if recording.verdict is None]
    found = iter(_branch(stage, name, live))
    return [next(found) if recording.verdict is None else Broken(recording.verdict) for recording in batch]


def _branch(stage: Branched, name: str, live: Sequence[Recording]) -> list[Any]:
    try:
        return stage.branch(name, live) if live else []
    except StorageError:
        raise
    except Exception as error:
        if len(live) > 1:
            return [result for recording in live for result in _branch(stage, name, [recording])]
        log.exception("%s of stage %s failed on %s", name, stage.name, live[0].source.path)
        return [Broken(fail(stage.name, error))]


def run_join(stage: Branched, batch: Sequence[Recording], found: Mapping[str, Sequence[Any]]) -> None:
    """Let `stage` put together what its branches found; a recording on which one of them raised becomes `failed`."""
    for number, recording in enumerate(batch):
        broken = [found[name][number] for name in stage.branches if isinstance(found[name][number], Broken)]
        if recording.verdict is None and broken:
            recording.exclude(broken[0].verdict)
    places = {id(recording): number for number, recording in enumerate(batch)}

    def join(live: Sequence[Recording]) -> None:
        mine = [places[id(recording)] for recording in live]
        stage.join(live, {name: [results[number] for number in mine] for name, results in found.items()})

    _run(stage, join, batch)
