"""Where the checkpoints of a run are. What writes them imports torch's distributed tensors; inference does without."""

from pathlib import Path

from curation.core.errors import ConfigError

FOLDER = "checkpoints"
MARKER = "complete"


def latest(run: Path) -> Path | None:
    """The newest complete checkpoint of a run."""
    found = complete(run)
    return found[-1] if found else None


def complete(run: Path) -> list[Path]:
    """All complete checkpoints, oldest first."""
    return [path.parent for path in sorted((run / FOLDER).glob(f"step-*/{MARKER}"))]


def resolve_checkpoint(where: str) -> Path:
    """A checkpoint folder, or the last one of a run. Raises ConfigError where there is none."""
    folder = Path(where).expanduser()
    if (folder / "config.json").is_file():
        return folder
    found = latest(folder)
    if found is None:
        msg = f"{where}: no checkpoint there: give a folder with config.json, or a run that has saved one"
        raise ConfigError(msg)
    return found
