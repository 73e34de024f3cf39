"""The page of stages and adapters, from what their classes declare (`curation/core/declarations.py`)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from generators.modules import first_line
from generators.tables import codes, number, table

if TYPE_CHECKING:
    from curation.core.declarations import Declared
    from curation.core.plugins import Registry

INTRODUCTION = """# Stages and adapters

What each stage and each adapter declares on its class; `curation plan` and `curation doctor` read the same. Stages and
adapters of [plug-in packages](../how-to/plug-ins.md) are not listed here, but `curation doctor` names those that are
installed.

*Optional*: a section that is `null` switches the stage off. *Memory* is main memory with the models loaded and a batch
in work, beyond what every worker takes; a worker needs the sum over its stages. *GPU* is the share that is asked for
where the section says `device: cuda`. A cell is empty where nothing is declared.
"""
NAMED_BY = {
    "denoise": "a kind in `denoise.denoiser`",
    "diarize": "a kind in `diarize.diarizer`",
    "transcribe": "`kind` of a section of `transcribe.systems`",
    "punctuate": "a kind in `punctuate.aligner` or `punctuate.fallback`",
    "tokenize": "`KIND` or `KIND:REFERENCE` in `tokenize.glm` and `tokenize.bicodec`",
}
PRESETS = """## Models of the presets

Sizes are of packaged models on disk, of others those of the parameters as they are loaded (published numbers).
"""


def stages_page() -> str:
    """The stages in order, the adapters of each, and the models that the presets use."""
    parts = [
        INTRODUCTION,
        "## In order\n",
        table(["stage", "what it does", "optional", "CPUs", "memory (GiB)"], _overview()),
    ]
    for name, stage in steps().items():
        parts += [f"## `{name}`\n", *_stage(name, stage)]
    return "\n".join([*parts, PRESETS, *_presets()])


def steps() -> "dict[str, type[Declared] | None]":
    """Every step of a build that this repository has, in order; None for `tokenize`, which is adapters only."""
    from curation.stages.decode.stage import Decode
    from curation.stages.registry import STAGES, ordered_stages

    built_in = set(STAGES.built_in.values())
    return {
        "decode": Decode,
        **{stage.name: stage for stage in ordered_stages() if stage in built_in},
        "tokenize": None,
    }


def registries() -> "dict[str, tuple[str, Registry[Any]]]":
    """For each stage that has adapters: how settings name them, and their registry."""
    from curation.pipeline.assemble import REGISTRIES

    return {name: (NAMED_BY[name], registry) for registry in REGISTRIES if (name := _stage_of(registry)) in NAMED_BY}


def _stage_of(registry: "Registry[Any]") -> str:
    """The step of a build that uses the adapters: that of their package, `curation.stages.STEP` or `curation.STEP`."""
    module: str = registry.base.__module__
    return module.removeprefix("curation.").removeprefix("stages.").partition(".")[0]


def _overview() -> Iterator[tuple[str, ...]]:
    from curation.pipeline.config import BuildConfig

    for name, stage in steps().items():
        optional = "yes" if type(None) in get_args(BuildConfig.model_fields[name].annotation) else ""
        cpus, memory = (number(stage.resources.cpus), number(stage.resources.memory_gib)) if stage else ("", "")
        yield f"[`{name}`](#{name})", _about(name, stage), optional, cpus, memory


def _about(name: str, stage: "type[Declared] | None") -> str:
    """The first paragraph of the module, without the name of the stage before it."""
    if stage is None:
        return "Speech codes of the utterances that are kept, in the publish pass."
    text = what_it_is(stage).removeprefix(f"{name.capitalize()}: ")
    return text[0].upper() + text[1:]


def what_it_is(declared: "type[Declared]") -> str:
    """The first paragraph of the module of a stage or an adapter."""
    return first_line(Path(str(sys.modules[declared.__module__].__file__)))


def _stage(name: str, stage: "type[Declared] | None") -> Iterator[str]:
    setting, registry = registries().get(name, ("", None))
    adapters = registry.built_in if registry is not None else {}
    yield f"{_about(name, stage)}\n"
    yield f"- Settings: [`{name}`](configuration.md#{name})"
    if stage is not None:
        for title, records in (("Scores", stage.scores), ("Notes", stage.notes)):
            if records:
                yield f"- {title}: {codes(record.name for record in records)} ([meaning](scores.md))"
        in_adapters = {model for adapter in adapters.values() for model in _models(adapter)}
        if own := [text for model, text in _models(stage).items() if model not in in_adapters]:
            yield f"- Models by default: {', '.join(own)}"
        if needs := _needs(stage):
            yield f"- Needs {needs}"
    if registry is None:
        yield ""
        return
    yield f"- Adapters: {setting}; entry points of plug-ins: `{registry.group}`\n"
    head = ["kind", "what it is", "model by default", "needs", "GPU", "memory (GiB)"]
    yield table(head, (_adapter(kind, adapter) for kind, adapter in adapters.items()))


def _adapter(kind: str, adapter: "type[Declared]") -> tuple[str, ...]:
    gpus = number(adapter.resources.gpus) if _can_use_gpu(adapter) else ""
    models = ", ".join(_models(adapter).values())
    return f"`{kind}`", what_it_is(adapter), models, _needs(adapter), gpus, number(adapter.resources.memory_gib)


def _can_use_gpu(adapter: "type[Declared]") -> bool:
    from curation.tokenize.adapters.base import TokenizerKind

    fields = adapter.section.model_fields if adapter.section is not None else {}
    return "device" in fields or issubclass(adapter, TokenizerKind)  # those have `tokenize.device`


def _needs(declared: "type[Declared]") -> str:
    needs = [f"`{package.command}`" for package in declared.packages]
    section: Any = declared.section
    if section is not None and (environment := declared.environment(section.model_construct())) is not None:
        needs.append(f"an environment of its own, {environment.gib:g} GiB")
    return ", ".join(needs)


def _models(declared: "type[Declared]") -> dict[str, str]:
    """The known models that it loads by default, each with its licence and size."""
    from curation.core.settings import extra_of
    from curation.models.catalogue import facts_of

    fields = declared.section.model_fields if declared.section is not None else {}
    named = [field.default for field in fields.values() if "model" in extra_of(field)]
    found = {}
    for name in dict.fromkeys([*declared.models, *(name for name in named if isinstance(name, str))]):
        facts = facts_of(name, declared.weights)
        if facts is not None:
            size = f", {facts.gib:g} GiB" if facts.gib else ""
            found[name] = f"`{name}` ({facts.licence}{size})"
    return found


def _presets() -> Iterator[str]:
    from curation.pipeline.assemble import steps as steps_of
    from curation.pipeline.config import PRESETS as FOLDER
    from curation.pipeline.config import load_config
    from curation.preflight.requirements import models_of

    for preset in sorted(path.stem for path in FOLDER.glob("*.yaml")):
        rows = []
        for step in steps_of(load_config(preset=preset)):
            for model in models_of(step.uses):
                facts = model.facts
                known = (facts.about, facts.licence, number(facts.gib), facts.note) if facts else ("", "", "", "")
                rows.append((f"`{step.name}`", f"`{model.reference}`", *known))
        yield f"### Preset `{preset}`\n"
        yield table(["stage", "model", "what it is", "licence", "GiB", "note"], rows)
