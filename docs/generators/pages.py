"""Pages of `curation audit` on the site: of a build of two hundred recordings, and of the demo.

Of the former only the data are kept in `docs/pages`, without voices (`--share`): the page itself is the one of today.
The latter is there with its voices where `make demo` has made it; `make docs` does.
"""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = "pages"
KEPT = "recordings"
NO_DEMO = "<!doctype html><title>Demo</title><p>This site was built before the demo: <code>make demo docs</code>."


def page_files(demo: Path = ROOT / "demo/audit") -> Iterator[tuple[str, bytes]]:
    """Place on the site and content of what is not in `docs`."""
    static = resources.files("curation.audit.page") / "static"
    for item in static.iterdir():
        yield f"{FOLDER}/{KEPT}/{item.name}", item.read_bytes()
    if not (demo / "index.html").is_file():
        yield f"{FOLDER}/demo/index.html", NO_DEMO.encode()
        return
    for path in sorted(path for path in demo.rglob("*") if path.is_file()):
        yield f"{FOLDER}/demo/{path.relative_to(demo).as_posix()}", path.read_bytes()
