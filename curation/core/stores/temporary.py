"""Names of local files that are not whole yet, and what is left of them where their writer was killed."""

import os
import re
import threading
from pathlib import Path


def temporary_name(name: str) -> str:
    """A name for a file that will be called `name`: hidden, and another one in each thread."""
    return f".{name}.{os.getpid()}.{threading.get_ident()}"


def sweep(folder: Path) -> None:
    """Delete such files in a folder and below, which nobody may be writing now."""
    for path in folder.rglob(".*"):
        if re.fullmatch(r"\..+\.\d+\.\d+", path.name) and path.is_file():
            path.unlink(missing_ok=True)
