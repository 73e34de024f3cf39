"""Calibrated confidence of the final text of an utterance: the expected share of correct words, 0..1.

A logistic regression on features that every build has (`FEATURES`): support of the text by the systems, their
confidence, their number, and the length and rate of the text. It is fitted to utterances with references (`curation
consensus fit`); its file also holds the weights of the systems in the vote. Tried as well, without a gain on speakers
unseen by the fit: pWER, the rate of the nearest pair, the distance of the systems to the final text, the least share in
the vote, the least confidence, repetition, no-speech probability.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from curation.core.errors import ModelError
from curation.core.settings import Section
from curation.manifests.records import Hypothesis
from curation.models.store import resolve, sha256_of
from curation.stages.base import NOISE_DECIMALS
from curation.stages.consensus.vote import Combined

DEFAULT = Path(__file__).parent / "default_calibration.json"
FEATURES = ("log_confidence", "support", "surprise", "systems", "log_words", "log_rate")
LEAST_CONFIDENCE = 0.01
"""Lower bound of confidences before the logarithm."""


class Calibration(Section):
    """The content of a calibration file (JSON)."""

    version: Literal[1] = 1
    about: str = Field("", description="the data that it was fitted on")
    weights: dict[str, float] = Field({}, description="weight of each system in the vote; others have 1")
    features: list[str] = Field(description="names of the features, in the order of the numbers below")
    mean: list[float] = Field(description="of each feature; an unknown feature counts as its mean")
    scale: list[float] = Field(description="standard deviation of each feature")
    coefficients: list[float] = Field(description="of the standardised features")
    intercept: float

    @model_validator(mode="after")
    def _fits(self) -> "Calibration":
        if self.features != list(FEATURES):
            msg = f"features: this version has {list(FEATURES)}, the file {self.features}: fit it again"
            raise ValueError(msg)
        if {len(self.mean), len(self.scale), len(self.coefficients)} != {len(FEATURES)} or min(self.scale) <= 0:
            msg = f"mean, scale and coefficients: expected {len(FEATURES)} numbers each, and scales above 0"
            raise ValueError(msg)
        if any(not 0 < weight < math.inf for weight in self.weights.values()):
            msg = "weights: must be above 0"
            raise ValueError(msg)
        return self

    def confidence(self, features: Sequence[float]) -> float:
        """Expected share of correct words, 0..1; `features` as returned by `evidence`, NaN where unknown."""
        total = self.intercept
        for value, mean, scale, slope in zip(features, self.mean, self.scale, self.coefficients, strict=True):
            if not math.isnan(value):
                total += slope * (value - mean) / scale
        return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))

    def of(self, words: int, features: Sequence[float]) -> float:
        """The same as a score of an utterance with so many words."""
        return round(self.confidence(features), NOISE_DECIMALS) if words else 0.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A calibration, and the name under which utterances record it."""

    calibration: Calibration
    name: str


@cache
def load_calibration(reference: str) -> Loaded:
    """`default`, or a file: `path:FILE`. Raises ModelError where it is missing or not a calibration."""
    path = DEFAULT if reference == "default" else resolve(reference)
    try:
        calibration = Calibration.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:  # ValidationError and JSONDecodeError are ValueErrors
        detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        msg = f"consensus.calibration {reference}: {path} is not a calibration ({detail}): see `curation consensus fit`"
        raise ModelError(msg) from None
    return Loaded(calibration, f"{reference.split(':', maxsplit=1)[0]}:{sha256_of(path)[:12]}")


def evidence(hypotheses: Sequence[Hypothesis], combined: Combined, words: int, seconds: float) -> tuple[float, ...]:
    """The `FEATURES` of an utterance; NaN where one is unknown.

    `hypotheses` are those without errors, `words` counts the combined text after normalisation, `seconds` is the
    duration of the utterance.
    """
    count = len({item.system for item in hypotheses})  # texts of one at several speeds are one witness
    surprises = [_surprise(item.confidence) for item in hypotheses if item.confidence is not None]
    return (
        -_surprise(combined.confidence) if surprises else math.nan,
        combined.support if count > 1 else math.nan,
        sum(surprises) / len(surprises) if surprises else math.nan,
        1 / max(count, 1),
        math.log(1 + words),
        math.log((1 + words) / max(seconds, 0.1)),
    )


def _surprise(confidence: float) -> float:
    return -math.log(max(confidence, LEAST_CONFIDENCE))
