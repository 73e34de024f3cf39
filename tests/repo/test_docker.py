"""The image's recipe: from what it copies the whole package is installed, with the versions of the repository."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from curation.stages.punctuate.mfa import in_process

ROOT = Path(__file__).parents[2]
RECIPE = (ROOT / "docker" / "Dockerfile").read_text()
LINES = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", RECIPE)).splitlines()
ENVIRONMENT = yaml.safe_load((ROOT / "docker" / "environment.yml").read_text())
PACKAGES = dict(re.match(r"([\w-]+)(.*)", item).groups() for item in ENVIRONMENT["dependencies"])
"""Conda packages and their versions."""


def copied() -> dict[str, str]:
    """Source in the repository -> target in the image."""
    words = [shlex.split(line) for line in LINES if line.startswith("COPY")]
    return {source: line[-1] for line in words for source in line[1:-1] if not source.startswith("--")}


def test_what_is_copied_exists_and_is_not_ignored():
    assert [name for name in copied() if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {name.split("/")[0] for name in copied()} & set(ignored)


def test_the_whole_package_is_built_from_what_is_copied(tmp_path):
    for source, target in copied().items():
        if source.startswith("docker/"):
            continue
        place = tmp_path / "image" / (target if (ROOT / source).is_dir() else f"{target}/{source}")
        place.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
        copy(ROOT / source, place, **({"symlinks": True} if copy is shutil.copytree else {}))
    # As pip calls it; pip itself would copy and describe the package first.
    build = [sys.executable, "-c", "import sys, setuptools.build_meta as backend; backend.build_wheel(sys.argv[1])"]
    subprocess.run([*build, str(tmp_path)], cwd=tmp_path / "image", check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if not re.match(r"[^/]+\.dist-info/", name)}
    linked = [path for path in (ROOT / "curation").iterdir() if path.is_symlink()]
    files = [path for folder in (ROOT / "curation", *linked) for path in folder.rglob("*") if path.is_file()]
    kept = [path for path in files if path.suffix not in {".pyc", ".md"}]
    assert packed == {path.relative_to(ROOT).as_posix() for path in kept}


def test_torch_is_the_one_of_the_makefile():
    (version,) = re.findall(r"torch==[\d.]+", (ROOT / "Makefile").read_text())
    assert f"ARG TORCH={version}" in LINES


def test_python_and_numpy_are_those_that_the_package_allows():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    numpy = next(Requirement(text) for text in project["dependencies"] if Requirement(text).name == "numpy")
    assert SpecifierSet(project["requires-python"]).contains(PACKAGES["python"].removeprefix("="))
    assert PACKAGES["numpy"] == str(numpy.specifier)


def test_the_aligner_is_of_the_series_that_the_adapter_is_written_for():
    (written_for,) = re.findall(r"montreal_forced_aligner (\d+\.\d+)\.\d+", in_process.__doc__)
    assert PACKAGES["montreal-forced-aligner"] == f"={written_for}.*"


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("RUN")])
def test_commands_are_valid_shell(line):
    subprocess.run(["sh", "-n", "-c", line.removeprefix("RUN")], check=True)


def test_every_instruction_is_one_of_docker():
    known = {"ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "ONBUILD"}
    known |= {"RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"}
    assert {line.split()[0] for line in LINES if line.strip()} <= known
