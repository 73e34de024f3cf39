"""Packages with plug-ins, written and installed by a test: an ASR system, a stage, and what goes wrong."""

import subprocess
import sys
from pathlib import Path

MODULE = """
from typing import Literal

import numpy as np

from curation.core.declarations import Package, Score, Weights
from curation.core.settings import Section, model_field, threshold
from curation.manifests.records import Hypothesis
from curation.stages.base import Stage
from curation.stages.transcribe.base import AsrSystem, SystemConfig


class EchoConfig(SystemConfig):
    kind: Literal["echo"] = "echo"
    model: str = model_field("hf:someone/echo", "a model that nobody needs")
    text: str = "it is a truth"


class Echo(AsrSystem):
    kind = "echo"
    section = EchoConfig
    packages = (Package("no_such_module", "echo-package"),)
    weights = (Weights("hf:someone/echo", "echo", "MIT", gib=1.25, note="only for tests"),)

    def load(self):
        pass

    def transcribe(self, waves, languages):
        return [Hypothesis(self.config.name, self.config.text, language, 0.9) for language in languages]


class CrossingsConfig(Section):
    max_rate: float = threshold(20000.0, "zero crossings", score="crossings.rate", rejects=">", ge=0)


class Crossings(Stage):
    name = "crossings"
    section = CrossingsConfig
    after = "diarize"
    scores = (Score("crossings.rate", "1/s", "zero crossings of the utterance"),)

    def __init__(self, config):
        self.config = config

    def process(self, batch):
        for recording in batch:
            for segment in recording.live_segments:
                signs = np.signbit(segment.audio)
                seconds = segment.num_samples / 16000
                segment.scores["crossings.rate"] = float(np.count_nonzero(signs[1:] != signs[:-1]) / seconds)
"""
PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "1.0"

[tool.setuptools]
py-modules = ["{module}"]
"""


def install(site: Path, name: str, points: dict[str, dict[str, str]], code: str = MODULE) -> None:
    """Let pip build and install a package with one module, `name` with underscores, into the folder `site`.

    `points`: group -> name of the entry point -> class in the module.
    """
    module = name.replace("-", "_")
    source = site.parent / f"{name}-source"
    source.mkdir(parents=True)
    (source / f"{module}.py").write_text(code)
    groups = ""
    for group, entries in points.items():
        groups += f'\n[project.entry-points."{group}"]\n'
        groups += "".join(f'{key} = "{module}:{value}"\n' for key, value in entries.items())
    (source / "pyproject.toml").write_text(PROJECT.format(name=name, module=module) + groups)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(source)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def write_installed(site: Path, name: str, points: dict[str, dict[str, str]], code: str = MODULE) -> None:
    """The same as `install` leaves it, without pip, for packages that are looked at only."""
    module = name.replace("-", "_")
    info = site / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = [
        line
        for group, entries in points.items()
        for line in [f"[{group}]", *(f"{key} = {module}:{value}" for key, value in entries.items())]
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
