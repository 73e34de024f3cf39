"""`curation consensus fit`: from a build to a calibration file and its report."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.fit.consensus import Fitted, fit_consensus
from curation.fit.reliability import Reliability, kept_wer, reliability
from curation.fit.transcripts import reference_utterances
from curation.pipeline.provenance import read_config
from curation.stages.consensus.confidence import load_calibration

LEAST = 30
"""Labelled utterances below which nothing is fitted: six coefficients and an intercept are learned from them."""
REMEDY = "give the manifest a transcript column, or --transcripts with an STM file or utterance ids and texts"
MARKS_REMEDY = "mark more of the random sample, with the right text where it is wrong, and import the marks"
SHARES = (0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True, slots=True)
class ConsensusReport:
    """The fit, and its quality on groups that it was not fitted to."""

    fitted: Fitted
    left_out: Counter[str]
    reliability: Reliability
    uncalibrated: Reliability
    kept: list[dict[str, float]]
    """By share of the seconds kept: WER by calibrated confidence, and by pWER alone."""

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        fitted = self.fitted
        return {
            "utterances": len(fitted.predicted),
            "left_out": dict(self.left_out),
            "words": fitted.words,
            "errors_equal_weights": fitted.equal_errors,
            "errors_learned_weights": fitted.learned_errors,
            "calibration": fitted.calibration.model_dump(),
            "reliability": asdict(self.reliability),
            "uncalibrated": asdict(self.uncalibrated),
            "kept": self.kept,
        }


def fit_on_build(root: str, transcripts: Path | None, output: Path, *, marks: bool = False) -> ConsensusReport:
    """Fit on the labelled utterances of a build and write the file. Raises ConfigError where they are too few.

    With `marks` the confidence is that of the texts as they were voted: the weights of the systems stay.
    """
    if marks and transcripts is not None:
        msg = "--marks and --transcripts: transcripts come from one of both; give one"
        raise ConfigError(msg)
    config = read_config(Storage(root)).consensus
    weights = load_calibration(config.calibration).calibration.weights if marks else None
    utterances, left_out = reference_utterances(root, transcripts, marks=marks)
    if len(utterances) < LEAST:
        causes = "; ".join(f"{count}: {cause}" for cause, count in left_out.items())
        msg = (
            f"{root}: {len(utterances)} utterances with a transcript, at least {LEAST} are needed "
            f"({causes or 'no more'}); {MARKS_REMEDY if marks else REMEDY}"
        )
        raise ConfigError(msg)
    about = f"{len(utterances)} utterances, {sum(item.seconds for item in utterances) / 60:.1f} min, of {root}"
    report = measured(fit_consensus(utterances, config.combination, about, weights), left_out)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report.fitted.calibration.model_dump(), indent=1) + "\n", encoding="utf-8")
    return report


def measured(fitted: Fitted, left_out: Counter[str]) -> ConsensusReport:
    """The figures of a fit."""
    observed, times = fitted.outcome.right, fitted.outcome.times
    by_pwer = -np.where(np.isnan(fitted.pwer), np.inf, fitted.pwer)
    kept = [
        {
            "share": share,
            "wer_by_confidence": kept_wer(fitted.outcome, fitted.predicted, share),
            "wer_by_pwer": kept_wer(fitted.outcome, by_pwer, share),
        }
        for share in SHARES
    ]
    calibrated, plain = (reliability(scores, observed, times) for scores in (fitted.predicted, fitted.plain))
    return ConsensusReport(fitted, left_out, calibrated, plain, kept)
