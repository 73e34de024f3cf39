"""Separate Python environments for systems whose packages conflict with ours, created once per machine.

    python = ensure("omnilingual", ["omnilingual-asr==0.2.0"])

They are virtual environments in the model store, filled by pip with pinned requirements. A lock keeps two workers from
creating the same one, and a marker written last says that one is complete. Ray's `runtime_env` is not used for this: it
would run the whole label worker in the other environment, and stages run without Ray too.
"""

import hashlib
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from curation.core.errors import ModelError
from curation.core.machine import locked
from curation.models.store import store_root

MARKER = "complete.json"
INSTALL_TIMEOUT_SECONDS = 3600


def folder_of(name: str, requirements: Sequence[str], interpreter: str = "") -> Path:
    """Where the environment is or would be; other requirements or another Python, another folder."""
    described = json.dumps([sorted(requirements), interpreter or platform.python_version()])
    digest = hashlib.sha256(described.encode()).hexdigest()[:12]
    return store_root() / "environments" / f"{name}-{digest}"


def is_ready(folder: Path) -> bool:
    """Whether the environment is complete."""
    return (folder / MARKER).is_file()


def ensure(name: str, requirements: Sequence[str], interpreter: str = "", options: Sequence[str] = ()) -> Path:
    """The Python of the environment, which is created first if necessary.

    `interpreter`: the Python to create it with, ours where empty. `options` go to `pip install`. Raises ModelError.
    """
    folder = folder_of(name, requirements, interpreter)
    if not is_ready(folder):
        with locked(folder.with_suffix(".lock")):
            if not is_ready(folder):  # no other process created it while we waited
                _make(folder, requirements, interpreter or sys.executable, options)
    return python_of(folder)


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def _make(folder: Path, requirements: Sequence[str], interpreter: str, options: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # leftovers of an interrupted attempt
    pip = [] if requirements else ["--without-pip"]
    _run([interpreter, "-m", "venv", *pip, str(folder)], folder)
    if requirements:
        install = [str(python_of(folder)), "-m", "pip", "install", "--no-input", "--quiet"]
        _run([*install, *options, *requirements], folder)
    temporary = folder / f"{MARKER}.part"
    temporary.write_text(json.dumps({"requirements": list(requirements), "python": interpreter}), encoding="utf-8")
    temporary.replace(folder / MARKER)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        problem = done.stderr.strip()[-1000:] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    if problem:
        shutil.rmtree(folder, ignore_errors=True)
        msg = f"could not create the environment {folder.name}: `{' '.join(command)}` failed: {problem}"
        raise ModelError(msg)
