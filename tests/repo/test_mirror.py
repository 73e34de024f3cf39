"""Every module has a test that carries its name (tests mirror packages), or is named in one."""

import re
from pathlib import Path

from tests.conftest import PLACES, part_of

ROOT = Path(__file__).parents[2]
FOLDERS = ["curation", "stages", "manifests", "tokenize", "train"]
OTHER_TESTS = [ROOT / "tests/repo", ROOT / "tests/bench"]
"""These name modules without running them."""


def test_every_module_has_a_test_or_is_named_in_one():
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if not set(path.parents) & set(OTHER_TESTS)]
    mentions = "\n".join(path.read_text() for path in files)
    imports = imported(mentions)
    assert [module for module in modules() if not (mirrored(module) or named(module, mentions, imports))] == []


def test_every_test_is_in_a_part_that_is_run_and_every_place_is_there():
    (listed,) = re.findall(r"foreach part,([\w ]+),", (ROOT / "Makefile").read_text())
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    assert {part_of(file) for file in files} == set(PLACES.values()) == set(listed.split())
    assert [place for place in PLACES if not (ROOT / place).exists()] == []


def modules():
    """Paths from the root; what a package says in `__init__.py` is tested with its modules."""
    paths = [path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    linked = {"curation/" + folder for folder in FOLDERS}
    names = [path.as_posix() for path in paths if path.name != "__init__.py"]
    return [name for name in names if "/".join(name.split("/")[:2]) not in linked]


def mirrored(module):
    path = Path(module)
    return (ROOT / "tests" / path.parent / f"test_{path.stem.strip('_')}.py").exists()


def imported(mentions):
    """Dotted names of what is imported from the packages, in one line or in several."""
    found = re.findall(r"from (curation[\w.]*) import (\([^)]*|.*)", mentions)
    return {f"{package}.{name}" for package, names in found for name in re.findall(r"\w+", names)}


def named(module, mentions, imports):
    """By its path, by its dotted name, or where it is imported from its package."""
    dotted = ".".join(["curation", *module.removeprefix("curation/").removesuffix(".py").split("/")])
    # With a word's beginning before it a pattern is looked for at every letter.
    patterns = [rf"{re.escape(name)}\b(?<=\b{re.escape(name)})" for name in (module, dotted)]
    return dotted in imports or any(re.search(pattern, mentions) for pattern in patterns)
