"""The image's recipe: what it copies is there, and it names the versions that the rest of the repository names."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "docker" / "Dockerfile").read_text()
LINES = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", RECIPE)).splitlines()


def test_every_path_that_is_copied_exists_and_is_not_ignored():
    sources = []
    for line in LINES:
        if line.startswith("COPY"):
            sources += [part for part in shlex.split(line)[1:-1] if not part.startswith("--")]
    assert {"pyproject.toml", "curation", "docker/environment.yml"} <= set(sources)
    assert [name for name in sources if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {name.split("/")[0] for name in sources} & set(ignored)


def test_all_folders_of_the_package_are_copied():
    linked = {path.name for path in (ROOT / "curation").iterdir() if path.is_symlink()}
    assert linked
    assert all(f"COPY --chown=$MAMBA_USER {name} ./{name}" in LINES for name in linked)


def test_only_instructions_that_exist():
    known = {"ARG", "FROM", "USER", "RUN", "COPY", "ENV", "WORKDIR", "CMD"}
    assert {line.split()[0] for line in LINES if line.strip()} <= known


def test_torch_is_the_one_of_the_makefile():
    (version,) = re.findall(r"torch==[\d.]+", (ROOT / "Makefile").read_text())
    assert f"ARG TORCH={version}" in LINES


@pytest.mark.parametrize("package", ["python=3.11", "montreal-forced-aligner=3.4.*"])
def test_the_environment_has_what_pip_cannot_bring(package):
    environment = yaml.safe_load((ROOT / "docker" / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    assert package in environment["dependencies"]
