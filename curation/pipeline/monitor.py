"""Monitors a run between its tasks: keeps lock, journal and figures, logs warnings once, reports progress."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from curation.pipeline.guard.lock import Lock
from curation.pipeline.job import OnProgress, Progress, Result, Step
from curation.pipeline.journal import Journal
from curation.pipeline.metrics import Figures

log = logging.getLogger(__name__)


@dataclass
class Monitor:
    """The monitor of one run."""

    lock: Lock
    journal: Journal
    on_progress: OnProgress
    figures: Figures = field(default_factory=Figures)
    _warned: set[str] = field(default_factory=set)

    def follow(self, step: Step, total: int, results: Iterable[Result]) -> Iterator[Result]:
        """The results of a step as they come. Raises LockError where another build has taken the folder over."""
        progress = Progress(step, 0, total)
        self.figures.add(progress)
        self.on_progress(progress)
        for done in results:
            self.lock.check()
            self.journal.beat()
            if done.warning and done.warning not in self._warned:
                self._warned.add(done.warning)
                log.warning("%s: %s", step, done.warning)
            seconds = progress.audio_seconds + done.audio_seconds
            progress = replace(progress, done=progress.done + done.steps, audio_seconds=seconds)
            self.figures.add(progress, done)
            self.on_progress(progress)
            yield done
