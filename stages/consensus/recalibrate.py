"""Confidence anew, from the hypotheses that were stored: another calibration counts from the next publish pass on, and
no model runs. The texts stay, and with them the weights by which they were voted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import agree, at_all_speeds
from curation.stages.consensus.confidence import Loaded, load_calibration
from curation.stages.consensus.vote import Method
from curation.text.normalize import normalizer_for

_OTHERS = ("confidence", "error", "variants")


@dataclass(frozen=True)
class Recalibration:
    """A calibration in place of the one that a build was labelled with."""

    new: Loaded
    weights: Mapping[str, float]
    """Of the systems in the vote, as the build was labelled."""
    method: Method

    @classmethod
    def of(cls, reference: str, labelled: str, method: Method) -> "Recalibration":
        """From the references of both calibrations. Raises ModelError where one is missing or none."""
        return cls(load_calibration(reference), load_calibration(labelled).calibration.weights, method)

    @property
    def name(self) -> str:
        """As utterances record it."""
        return self.new.name

    @property
    def columns(self) -> tuple[str, ...]:
        """Of `schemas.SPEECH`, that it reads."""
        return ("language", *(f"hypotheses.list.element.{name}" for name in ("system", "text", *_OTHERS)))

    def confidence(self, segments: pa.Table, speech: pa.Table) -> npt.NDArray[np.float64]:
        """(segments,) expected share of correct words; NaN where no system has answered. `speech` has `columns`."""
        lengths = segments["end"].to_numpy() - segments["start"].to_numpy()
        rows = zip(speech["language"].to_pylist(), speech["hypotheses"].to_pylist(), lengths, strict=True)
        return np.array([self._of(language, heard or [], int(length)) for language, heard, length in rows], np.float64)

    def _of(self, language: str, heard: list[dict[str, Any]], samples: int) -> float:
        answered = [_hypothesis(item) for item in heard if not item["error"]]
        if not answered:
            return np.nan
        found = agree(
            at_all_speeds(answered), normalizer_for(language), samples / SAMPLE_RATE, self.method, self.weights
        )
        return self.new.calibration.of(found.words, found.evidence)


def _hypothesis(item: dict[str, Any]) -> Hypothesis:
    return Hypothesis(item["system"], item["text"], confidence=item["confidence"], variants=item["variants"] or [])
