"""Limits of a server, and what clients must show."""

from dataclasses import dataclass, field
from pathlib import Path

from curation.core.errors import ConfigError
from curation.train.infer.streaming import DEFAULT, Chunking


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """Each limit protects the requests of others. Raises ConfigError for one that allows nothing."""

    name: str = "curation"
    """Of the model, as clients must ask for it."""
    slots: int = 16
    """Requests that the model runs at once."""
    queue: int = 64
    """Requests that may wait for one of these; more are told to come again (429)."""
    max_upload_bytes: int = 25 * 2**20
    max_audio_seconds: float = 600.0
    """Of an uploaded recording."""
    max_voice_seconds: float = 60.0
    max_text_letters: int = 4096
    """OpenAI's limit."""
    patience_seconds: float = 30.0
    """A client that sends nothing of its request, or reads nothing of its answer, for so long loses its place."""
    chunking: Chunking = DEFAULT
    """Of streamed speech."""
    voices: Path | None = None
    """Folder in which registered voices outlive the server; None: they are kept in memory."""
    keys: frozenset[str] = field(default_factory=frozenset, repr=False)
    """Any of these as a bearer token opens all but /health; none: nobody is asked."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        least = {"slots": 1, "queue": 0, "max_upload_bytes": 1, "max_text_letters": 1}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                msg = f"{name} {getattr(self, name)}: must be {bound} or more"
                raise ConfigError(msg)


def read_keys(path: Path) -> frozenset[str]:
    """The keys of a file, one in each line; `#` begins a comment. Raises ConfigError where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"--keys {path}: cannot be read ({error}): give a text file with a key in each line"
        raise ConfigError(msg) from error
    keys = frozenset(key for line in lines if (key := line.partition("#")[0].strip()))
    if not keys:
        msg = f"--keys {path}: holds no key: write one in each line, or leave the option out to ask nobody"
        raise ConfigError(msg)
    return keys
