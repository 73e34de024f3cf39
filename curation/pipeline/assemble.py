"""What a build is made of, as its configuration asks for it: the stages in order, and what they declare."""

from dataclasses import dataclass, replace
from typing import Any

from curation.core.declarations import Declared, Note, Resources, Score, Use
from curation.core.plugins import Registry
from curation.manifests.columns.tiers import tiers_of
from curation.manifests.segments.table import SegmentTable
from curation.manifests.shards import SOURCE as TEXT_SOURCE
from curation.models.catalogue import facts_of
from curation.pipeline.config import BuildConfig
from curation.pipeline.gpu import NOTE as FALLBACK
from curation.pipeline.rules import rules_of
from curation.stages.base import Stage
from curation.stages.decode.stage import Decode
from curation.stages.denoise.registry import DENOISERS
from curation.stages.diarize.registry import DIARIZERS
from curation.stages.punctuate.registry import ALIGNERS
from curation.stages.registry import STAGES, ordered_stages
from curation.stages.transcribe.registry import SYSTEMS
from curation.tokenize.registry import TOKENIZERS, likely_kind

REGISTRIES: tuple[Registry[Any], ...] = (STAGES, SYSTEMS, DENOISERS, DIARIZERS, ALIGNERS, TOKENIZERS)
"""All registries that installed packages can extend."""

WORKER_GIB = 0.75
"""Main memory of every worker, whatever its stages are: the interpreter, libraries, and the audio of a batch of up to
`USUAL_SECONDS`."""
USUAL_SECONDS = 300.0
SECOND_GIB = 0.14 / 1024
"""Main memory that each further second of a batch takes, measured (docs/results/2026-11-27-staging.md)."""
WORKER = Resources(gpus=0.0, memory_gib=WORKER_GIB)
LEAST_CPUS = 0.1
"""What a worker reserves where decoding reserves all that its stages need."""
NOTES = (
    Note(FALLBACK, "models that ran on the CPU because there was no GPU", "recording"),
    Note(TEXT_SOURCE, "human: a person wrote the text (`curation marks`)"),
)
"""Notes of the engine itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """A stage that is on, with the adapters that it uses; `decode` and `tokenize` are steps too."""

    name: str
    uses: tuple[Use, ...]


def build_stages(config: BuildConfig) -> list[Stage]:
    """One object for each stage that is switched on; models are loaded by their `setup`, not here."""
    made: list[Stage] = []
    for stage in ordered_stages():
        section = getattr(config, stage.name, None)
        if section is not None:
            create: Any = stage
            made.append(create() if stage.section is None else create(section))
    return made


def steps(config: BuildConfig) -> list[Step]:
    """The steps of a build in order, with everything that they declare. Raises ConfigError."""
    found = [Step(Decode.name, (Use(Decode.name, Decode, config.decode),))]
    for stage in ordered_stages():
        section = getattr(config, stage.name, None)
        if section is not None:
            found.append(Step(stage.name, (Use(stage.name, stage, section), *stage.adapters(section))))
    if (tokenize := config.tokenize) is not None:
        kinds = dict.fromkeys((likely_kind(tokenize.glm, "content"), likely_kind(tokenize.bicodec, "codec")))
        found.append(Step("tokenize", tuple(Use(f"tokenize.{kind}", TOKENIZERS[kind], tokenize) for kind in kinds)))
    return found


def worker_needs(config: BuildConfig, batch_seconds: float = USUAL_SECONDS) -> Resources:
    """What a label worker reserves and needs: as the engine's settings say, else by the declarations of all that it
    runs; with batches of `batch_seconds`.
    """
    engine = config.engine
    label = [use for step in steps(config) if step.name not in {"decode", "tokenize"} for use in step.uses]
    cpus = max(WORKER.cpus, *(use.resources.cpus for use in label)) - engine.decode_cpus
    return replace(
        WORKER,
        cpus=max(cpus, LEAST_CPUS) if engine.worker_cpus is None else engine.worker_cpus,
        gpus=max(use.resources.gpus for use in label) if engine.worker_gpus is None else engine.worker_gpus,
        memory_gib=WORKER_GIB + more_gib(batch_seconds) + sum(map(memory_gib, label)),
    )


def more_gib(batch_seconds: float) -> float:
    """Main memory that batches of this length take beyond `WORKER_GIB`."""
    return max(0.0, batch_seconds - USUAL_SECONDS) * SECOND_GIB


def most_batch_seconds(config: BuildConfig) -> float:
    """The longest batches with which a worker stays below `engine.max_worker_gib`, by what is declared."""
    free = config.engine.max_worker_gib - (worker_needs(config).memory_gib or 0.0)
    return USUAL_SECONDS + max(0.0, free) / SECOND_GIB


def tokenizer_gpus(config: BuildConfig) -> float:
    """GPUs that a worker of the publish pass reserves: 0 unless a tokenizer runs on one."""
    uses = [use for step in steps(config) if step.name == "tokenize" for use in step.uses]
    wanted = max((use.resources.gpus for use in uses), default=0.0)
    return wanted if not wanted or config.engine.worker_gpus is None else config.engine.worker_gpus


def memory_gib(use: Use) -> float:
    """Main memory that something takes in a worker, GiB: as it declares, else the size of its models on the CPU."""
    stated = use.resources
    if stated.memory_gib is not None:
        return stated.memory_gib
    facts = [facts_of(name, use.declared.weights) for name in use.model_names]
    return 0.0 if stated.gpus else sum(known.gib or 0.0 for known in facts if known is not None)


def declared_scores() -> list[Score]:
    """Every score that a build may store, of plug-ins too, in the order of the stages and then of the adapters."""
    return list(dict.fromkeys(score for declared in _everything() for score in declared.scores))


def segment_table(config: BuildConfig) -> SegmentTable:
    """The table `segments` of a build. Raises ConfigError for a tier with a rule that cannot be tried."""
    table = SegmentTable(declared_scores(), rules_of(config))
    return replace(table, tiers=tiers_of(config.publish.tiers, ["seconds", *table.by_column]))


def declared_notes() -> list[Note]:
    """Every note that a build may store, those of the engine last."""
    return [*dict.fromkeys(note for declared in _everything() for note in declared.notes), *NOTES]


def _everything() -> list[type[Declared]]:
    """The stages in order, and the adapters that can be imported."""
    adapters: list[type[Declared]] = []
    for registry in REGISTRIES[1:]:
        broken = {item.name for item, _ in registry.problems()}
        adapters += [registry[kind] for kind in registry if kind not in broken]
    return [*ordered_stages(), *adapters]
