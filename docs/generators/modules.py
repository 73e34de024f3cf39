"""The page of modules, from their files."""

import re
from functools import cache
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from generators.tables import table

ROOT = Path(__file__).resolve().parents[2]
DOCSTRING = re.compile(r'(?:#[^\n]*\n|\n)*r?"""(.*?)"""', re.DOTALL)


def modules_page() -> str:
    """Every module with the first sentence of its documentation."""
    parts = ["# Modules\n", "Every module with the first line of its documentation.\n"]
    for package, paths in groupby(sorted(modules(), key=attrgetter("parent", "name")), attrgetter("parent")):
        rows = [(f"`{path.name}`", first_line(path)) for path in paths]
        parts += [f"## `{package.relative_to(ROOT)}`\n", table(["module", "what it is"], rows)]
    return "\n".join(parts)


def modules() -> list[Path]:
    """The files of the package, under their real folders."""
    folders = [ROOT / name for name in ("curation", "manifests", "stages", "tokenize", "train")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    return sorted(path for path in files if "__pycache__" not in path.parts and path.resolve() == path)


@cache
def first_line(path: Path) -> str:
    """The first paragraph of a module's docstring."""
    found = DOCSTRING.match(path.read_text(encoding="utf-8"))  # to parse all modules takes seconds
    return " ".join(found[1].partition("\n\n")[0].split()) if found else ""
