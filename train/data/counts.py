"""What a loader counted: samples, tokens, how full the rows were, and what was left out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Counts:
    """Counters of what was handed over; they add up over rows, workers and ranks.

    `own_voice` are TTS and VC samples whose speaker had no other utterance in the block; `parallel` are VC samples
    from another speaker's utterance; `over_long` are samples that were left out, by task, and `longest` is the number
    of tokens of the longest sample seen, left out or not.
    """

    rows: int = 0
    capacity: int = 0
    tokens: int = 0
    answer_tokens: int = 0
    samples: Counter[str] = field(default_factory=Counter)
    own_voice: int = 0
    parallel: int = 0
    over_long: Counter[str] = field(default_factory=Counter)
    longest: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            rows=self.rows + other.rows,
            capacity=self.capacity + other.capacity,
            tokens=self.tokens + other.tokens,
            answer_tokens=self.answer_tokens + other.answer_tokens,
            samples=self.samples + other.samples,
            own_voice=self.own_voice + other.own_voice,
            parallel=self.parallel + other.parallel,
            over_long=self.over_long + other.over_long,
            longest=max(self.longest, other.longest),
        )

    @property
    def efficiency(self) -> float:
        """Share of the token budget that holds tokens; 0 before the first row."""
        return self.tokens / self.capacity if self.capacity else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a log line."""
        return {
            "rows": self.rows,
            "tokens": self.tokens,
            "answer_tokens": self.answer_tokens,
            "efficiency": round(self.efficiency, 4),
            "samples": dict(sorted(self.samples.items())),
            "own_voice": self.own_voice,
            "parallel": self.parallel,
            "over_long": dict(sorted(self.over_long.items())),
            "longest": self.longest,
        }
