"""What a build is made of, as its configuration asks for it: the stages in order, and what they declare."""

from dataclasses import dataclass, replace
from typing import Any

from curation.core.declarations import Note, Resources, Score, Use
from curation.pipeline.config import BuildConfig
from curation.pipeline.gpu import NOTE as FALLBACK
from curation.stages.base import Stage
from curation.stages.decode.stage import Decode
from curation.stages.registry import ordered_stages
from curation.tokenize.registry import TOKENIZERS, likely_kind

WORKER = Resources(memory_gib=0.75)
"""Of every worker, whatever its stages are: the interpreter, libraries, and the audio of a batch."""
NOTES = (Note(FALLBACK, "models that ran on the CPU because there was no GPU", "recording"),)
"""What the engine itself writes."""


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


def worker_needs(config: BuildConfig) -> Resources:
    """What a worker needs by the declarations of all that it runs: see `Resources`."""
    label = [use.resources for step in steps(config) if step.name not in {"decode", "tokenize"} for use in step.uses]
    return replace(
        WORKER,
        cpus=max(item.cpus for item in (WORKER, *label)),
        gpus=max((item.gpus for item in label), default=0.0),
        memory_gib=sum(item.memory_gib for item in (WORKER, *label)),
    )


def declared_scores(config: BuildConfig) -> list[Score]:
    """The scores that a build with this configuration may store, each with unit and meaning."""
    return list(dict.fromkeys(score for step in steps(config) for use in step.uses for score in use.declared.scores))


def declared_notes(config: BuildConfig) -> list[Note]:
    """The notes that a build with this configuration may store."""
    return [*NOTES, *dict.fromkeys(note for step in steps(config) for use in step.uses for note in use.declared.notes)]
