"""How often ASR systems and stages broke: counted when a batch is labelled, kept in its staging file, summed up.

A system that does not speak the language of an utterance is not asked, and does not count.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from curation.manifests.records import Recording

RECORDING = "recording"
"""The name under which recordings are counted on which a stage raised, whichever it was."""
NO_STAGES = frozenset({"decode", "worker", "conservation"})
"""Reasons of failures that say nothing about a model."""


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How often something was called, and raised."""

    calls: int = 0
    errors: int = 0
    example: str = ""
    """The latest error."""

    @property
    def fraction(self) -> float:
        """Errors by call; 0 without calls."""
        return self.errors / max(1, self.calls)

    def plus(self, error: str) -> "ErrorRate":
        """With one more call, which ended with `error` or, where that is empty, well."""
        return ErrorRate(self.calls + 1, self.errors + bool(error), error or self.example)


def error_rates(recordings: Iterable[Recording]) -> dict[str, ErrorRate]:
    """Utterances by ASR system (`transcribe.NAME`), and the recordings that reached the stages."""
    rates: dict[str, ErrorRate] = {}
    for recording in recordings:
        verdict = recording.verdict
        if verdict is None or (verdict.status == "failed" and verdict.reason not in NO_STAGES):
            error = f"{verdict.reason}: {verdict.detail}" if verdict else ""
            rates[RECORDING] = rates.get(RECORDING, ErrorRate()).plus(error)
        for hypothesis in (item for segment in recording.segments for item in segment.hypotheses):
            name = f"transcribe.{hypothesis.system}"
            rates[name] = rates.get(name, ErrorRate()).plus(hypothesis.error)
    return rates


def add_rates(total: dict[str, ErrorRate], more: Mapping[str, ErrorRate]) -> None:
    """Add counts by name to `total`."""
    for name, rate in more.items():
        old = total.get(name, ErrorRate())
        total[name] = replace(
            rate, calls=old.calls + rate.calls, errors=old.errors + rate.errors, example=rate.example or old.example
        )
