"""Guards the arrangement of folders: `tokenize/` shares its name with the standard library."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINKED = ["stages", "manifests", "tokenize", "train"]


@pytest.mark.parametrize("name", LINKED)
def test_links_lead_to_the_top_level(name):
    link = ROOT / "curation" / name
    assert link.is_symlink()
    assert link.resolve() == ROOT / name


def test_tokenize_is_no_regular_package():
    assert not (ROOT / "tokenize/__init__.py").exists()


@pytest.mark.parametrize("module", [pytest.param("torch", marks=pytest.mark.slow), "ray"])
def test_standard_library_is_found_from_the_root(module):
    code = f"import tokenize, {module}; print(tokenize.__file__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    found = Path(done.stdout.splitlines()[-1])
    assert found.resolve() == Path(sysconfig.get_path("stdlib"), "tokenize.py").resolve()


def sources():
    return [path for folder in ("curation", *LINKED) for path in sorted((ROOT / folder).rglob("*.py"))]


def test_only_two_files_know_ray():
    users = [path for path in sources() if re.search(r"^\s*(import|from) ray\b", path.read_text(), re.MULTILINE)]
    names = {path.resolve().relative_to(ROOT).as_posix() for path in users}
    assert names == {"curation/pipeline/runtime/ray.py", "train/ray.py"}


def test_nothing_is_imported_by_a_second_name():
    banned = tuple(f"{verb} {name}" for verb in ("import", "from") for name in ("stages", "manifests", "train"))
    for path in [*sources(), *(ROOT / "tests").rglob("*.py")]:
        lines = path.read_text().splitlines()
        assert not [line for line in lines if line.startswith(banned)], path
