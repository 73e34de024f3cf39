"""Settings of fitting the compact tokenizers."""

from collections.abc import Callable
from dataclasses import dataclass

from curation.core.errors import ConfigError

LEVELS = {256: (4, 4, 4, 4), 1024: (4, 4, 4, 4, 4), 8192: (8, 8, 8, 4, 4)}
"""Levels of the semantic quantizer's channels, by number of codes."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How long and how large. Raises ConfigError where no levels make that many codes."""

    content_codes: int = 2048
    codes: int = 8192
    """Semantic codes: 256, 1024 or 8192. Fewer carry less detail, and need fewer hours."""
    consistency: float = 0.1
    """Weight of the squared distance, in levels, between the codes of a clip and of its perturbed copy."""
    copies: int = 2
    """Versions of each clip at other speeds and levels."""
    channels: int = 1
    """Further ones through random channels, half of them as narrow as a telephone's."""
    steps: int = 3000
    batch: int = 16
    crop: int = 100
    """Tokens in a training example (2 s)."""
    learning_rate: float = 2e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if self.codes not in LEVELS:
            msg = f"fit: {self.codes} semantic codes: choose of {', '.join(map(str, LEVELS))}"
            raise ConfigError(msg)


Progress = Callable[[str, float], None]
