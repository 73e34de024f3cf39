"""Operators: the parts of the label pass that have workers of their own, each with the stages that it runs in order.

`WHOLE` is all of it in one worker, as on a laptop. `operators` divides it by what stages and adapters declare: each
stage on a GPU is a part, and so are the stages with models between them that need none; light stages go with those
before them. A stage whose adapters work apart from each other is a part for each of them, and the stages after it put
together what they found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from curation.core.declarations import Resources, Use
from curation.pipeline.assemble import USUAL_SECONDS, WORKER, memory_gib, more_gib
from curation.pipeline.config import BuildConfig
from curation.stages.base import Branched, Stage


@dataclass(frozen=True, slots=True)
class Operator:
    """A part of the label pass."""

    name: str
    stages: tuple[str, ...] = ()
    """Names of the stages that it runs; empty: all."""
    branch: str = ""
    """The only branch of its stage that it runs; empty: whole stages."""
    leads: bool = False
    """Whether its branch is the first one, whose worker hands the batch on."""
    joins: bool = False
    """Whether its first stage puts together what branches have found."""
    commits: bool = False
    """Whether it is the last one, which writes the staging file."""
    needs: Resources = field(default=WORKER, compare=False)
    """Of one worker."""


Levels = list[list[Operator]]
"""Operators in order; those of a level work on a batch at the same time."""

WHOLE = Operator("label", commits=True)
FUSED: Levels = [[WHOLE]]
DECODE = "decode"
"""The pool that decodes units into batches."""


def operators(config: BuildConfig, stages: Sequence[Stage], batch_seconds: float = USUAL_SECONDS) -> Levels:
    """The parts of these stages; a worker of each has a whole batch in memory."""
    levels: Levels = []
    part: list[Stage] = []
    joins, kind = False, ""
    for stage in stages:
        own = _kind(stage, config)
        branched = isinstance(stage, Branched) and len(stage.branches) > 1
        if part and (branched or (own and kind and "gpu" in {own, kind})):
            levels.append([_part(part, config, joins=joins)])
            part, joins, kind = [], False, ""
        if branched and isinstance(stage, Branched):
            levels += _branches(stage, config)
            joins = True
        else:
            kind = own or kind
        part.append(stage)
    levels.append([replace(_part(part, config, joins=joins), commits=True)])
    return [[_with_memory(operator, more_gib(batch_seconds)) for operator in level] for level in levels]


def _with_memory(operator: Operator, more: float) -> Operator:
    return replace(operator, needs=replace(operator.needs, memory_gib=(operator.needs.memory_gib or 0.0) + more))


def _kind(stage: Stage, config: BuildConfig) -> str:
    """What it takes: `gpu`, `cpu` for its models, or next to nothing."""
    uses = _uses(stage, config)
    if any(use.resources.gpus for use in uses):
        return "gpu"
    heavy = len(uses) > 1 or any(use.model_names or use.declared.resources != Resources() for use in uses)
    return "cpu" if heavy else ""


def _uses(stage: Stage, config: BuildConfig) -> list[Use]:
    section: Any = getattr(config, stage.name, None)
    adapters = [] if section is None else type(stage).adapters(section)
    return [Use(stage.name, type(stage), section), *adapters]


def _part(part: Sequence[Stage], config: BuildConfig, *, joins: bool) -> Operator:
    own = [use for stage in part[joins:] for use in _uses(stage, config)]
    names = tuple(stage.name for stage in part)
    named = [stage.name for stage in part[joins:] if _kind(stage, config)] or names[-1:]
    return Operator("+".join(named), names, joins=joins, needs=_needs(own))


def _branches(stage: Branched, config: BuildConfig) -> Levels:
    uses = {use.name.removeprefix(f"{stage.name}."): use for use in _uses(stage, config)[1:]}
    first, *others = [
        Operator(name, (stage.name,), branch=name, needs=_needs([uses[name]] if name in uses else []))
        for name in stage.branches
    ]
    return [[replace(first, leads=True)], others]


def _needs(uses: Sequence[Use]) -> Resources:
    return replace(
        WORKER,
        cpus=max([WORKER.cpus, *(use.resources.cpus for use in uses)]),
        gpus=max([0.0, *(use.resources.gpus for use in uses)]),
        memory_gib=(WORKER.memory_gib or 0.0) + sum(map(memory_gib, uses)),
    )
