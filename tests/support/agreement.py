"""Hypotheses without audio, and what consensus makes of them."""

from collections.abc import Iterable, Sequence

from curation.manifests.records import Hypothesis, Recording, Segment, Source
from curation.stages.base import run_stage
from curation.stages.consensus.stage import Consensus, ConsensusConfig


def hypotheses(
    texts: Sequence[str],
    confidences: Sequence[float | None] | None = None,
    language: str = "en",
    errors: Iterable[int] = (),
) -> list[Hypothesis]:
    """One hypothesis per text, of the systems s0, s1, …; those in `errors` broke."""
    given = confidences or [0.9] * len(texts)
    return [
        Hypothesis(f"s{place}", text, language, confidence, error="broke" if place in errors else "")
        for place, (text, confidence) in enumerate(zip(texts, given, strict=True))
    ]


def agreed(
    texts: Sequence[str],
    language: str = "en",
    combination: str = "vote",
    confidences: Sequence[float | None] | None = None,
    errors: Iterable[int] = (),
    seconds: float = 1.0,
) -> Segment:
    """The segment that consensus makes of one hypothesis per text."""
    segment = Segment(0, round(seconds * 16000), language=language)
    segment.hypotheses = hypotheses(texts, confidences, language, errors)
    return combined(segment, combination=combination)


def combined(segment: Segment, **settings: str) -> Segment:
    """The segment after consensus, the same object."""
    recording = Recording(Source("r", "r.wav"), num_samples=segment.num_samples, segments=[segment])
    run_stage(Consensus(ConsensusConfig(**settings)), [recording])
    assert recording.verdict is None
    return segment
