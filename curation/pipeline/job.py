"""What the workers of a run are given and what they report: `Job`, a result for each kind of task, `Runtime`.

Tasks and results are small frozen dataclasses: they travel between processes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar

from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.duplicates.exact import Content
from curation.manifests.error_rates import ErrorRate
from curation.manifests.index import ShardEntry
from curation.manifests.plan import Unit
from curation.manifests.runs import PoolTimes
from curation.manifests.staging import BatchName
from curation.manifests.summary import LedgerTally
from curation.pipeline.assemble import USUAL_SECONDS, build_stages
from curation.pipeline.config import BuildConfig
from curation.pipeline.guard.watchdog import Watchdog
from curation.stages.base import Stage

MakeStages = Callable[[BuildConfig], list[Stage]]
"""Gives the stages of the label pass; another function adds stages of your own to a build."""


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker of a run is given."""

    config: BuildConfig
    root: str
    """Output folder or URL."""
    run: str
    """Identifier of this run, new at each start."""
    make_stages: MakeStages = build_stages
    batch_seconds: float = USUAL_SECONDS
    """Audio of its batches, at most: workers reserve memory for that."""

    @property
    def out(self) -> Storage:
        """The output folder."""
        return Storage(self.root)

    def watchdog(self) -> Watchdog:
        """A watchdog for the current process, with the limits of the configuration."""
        return Watchdog(self.config.engine.timeout_seconds, self.config.engine.max_worker_gib)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished task; each kind of task has its own."""

    steps: int = 1
    """Steps of progress that it completes."""
    audio_seconds: float = 0.0
    """Seconds of audio that models worked on."""
    warning: str = ""
    """A message for the user in the log of the build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLabelled(Done):
    """A batch of recordings is committed; its `steps` are the units that it completes."""

    name: BatchName
    recordings: int
    failed: int = 0
    errors: dict[str, ErrorRate] = field(default_factory=dict)
    """How often models broke on it; empty where it was committed before."""
    times: StageTimes = field(default_factory=StageTimes, compare=False)
    """Spent on it; empty where it was committed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchesJudged(Done):
    """Segments of staging files have their verdicts, and the kept ones their tokens."""

    label_times: StageTimes
    label_errors: dict[str, ErrorRate] = field(default_factory=dict)
    contents: list[Content] = field(default_factory=list, repr=False)
    """The samples of the recordings that end in these files."""
    model_seconds: dict[str, float] = field(default_factory=dict)
    """Inside the tokenizers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPartWritten(Done):
    """A part of the ledger is written."""

    number: int
    file: str
    kept_samples: int
    """Of all its recordings."""
    tally: LedgerTally
    sha256: dict[str, str]
    """Of the files of ledger and segments, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWritten(Done):
    """A shard is written."""

    entry: ShardEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRewritten(Done):
    """A shard, or a part of ledger and segments, is written again without some recordings; or it had none of them."""

    was: str
    file: str
    """Its name now; empty where nothing is left of it."""
    entry: ShardEntry | None = None
    """Of a shard."""
    sha256: dict[str, str] = field(default_factory=dict)
    """Of the files of a part, by name; empty where it had none of the recordings."""


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """What a pool of workers has to do at this time."""

    workers: int
    """That are ready."""
    running: int
    """Calls that they have."""
    queued: int
    """Calls that wait for a worker."""


Step = Literal["label", "judge", "ledger", "shards", "rewrite"]
"""`judge` applies the thresholds and encodes what is kept; `rewrite` takes recordings out of files that stay."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of one step of a build."""

    step: Step
    done: int
    """Units of recordings of the step `label`, tasks of the others."""
    total: int
    """What this run has to do."""
    audio_seconds: float = 0.0
    """Seconds of audio that models worked on in this step."""


OnProgress = Callable[[Progress], None]
"""Called at the start of each step and after each finished task, in the process that called `build`."""


class NamedTask(Protocol):
    """A task of a publish pass."""

    @property
    def name(self) -> str:
        """Different for each task of the pass; a valid file name."""
        ...


Task = TypeVar("Task", bound=NamedTask)
Result = TypeVar("Result", bound=Done)


class Runtime(Protocol):
    """Where the work of a run is executed."""

    @property
    def num_cpus(self) -> float:
        """CPUs that the work is spread over."""
        ...

    def pool_times(self) -> dict[str, PoolTimes]:
        """What the workers of the label pass have done so far, by pool; empty where there are none."""
        ...

    def pool_loads(self) -> dict[str, PoolLoad]:
        """What each pool of workers has to do now; empty where there are none."""
        ...

    def label(self, job: Job, units: Iterable[Unit], done: Mapping[int, set[int]]) -> Iterator[BatchLabelled]:
        """Label the units, without the batches that are `done`; a result for each batch, in any order."""
        ...

    def map(
        self,
        make_worker: Callable[[], Callable[[Task], Result]],
        tasks: Iterable[Task],
        *,
        gpus: float = 0.0,
        guarded: bool = False,
    ) -> Iterator[Result]:
        """Give each task to a worker, which reserves that share of a GPU; results come in any order.

        `guarded`: a task may kill its process, and tells its `current_attempt` what it does.
        """
        ...
