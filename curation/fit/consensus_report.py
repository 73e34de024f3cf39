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

LEAST = 30
"""Labelled utterances below which nothing is fitted: six coefficients and an intercept are learned from them."""
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


def fit_on_build(root: str, transcripts: Path | None, output: Path) -> ConsensusReport:
    """Fit on the labelled utterances of a build and write the file. Raises ConfigError where they are too few."""
    method = read_config(Storage(root)).consensus.combination
    utterances, left_out = reference_utterances(root, transcripts)
    if len(utterances) < LEAST:
        causes = "; ".join(f"{count}: {cause}" for cause, count in left_out.items())
        msg = (
            f"{root}: {len(utterances)} utterances with a transcript, at least {LEAST} are needed "
            f"({causes or 'no more'}); give the manifest a transcript column, or --transcripts with an STM file or "
            f"utterance ids and texts"
        )
        raise ConfigError(msg)
    about = f"{len(utterances)} utterances, {sum(item.seconds for item in utterances) / 60:.1f} min, of {root}"
    report = measured(fit_consensus(utterances, method, about), left_out)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(report.fitted.calibration.model_dump(), indent=1) + "\n", encoding="utf-8")
    return report


def measured(fitted: Fitted, left_out: Counter[str]) -> ConsensusReport:
    """The figures of a fit."""
    observed = fitted.outcome.right
    by_pwer = -np.where(np.isnan(fitted.pwer), np.inf, fitted.pwer)
    kept = [
        {
            "share": share,
            "wer_by_confidence": kept_wer(fitted.outcome, fitted.predicted, share),
            "wer_by_pwer": kept_wer(fitted.outcome, by_pwer, share),
        }
        for share in SHARES
    ]
    return ConsensusReport(
        fitted, left_out, reliability(fitted.predicted, observed), reliability(fitted.plain, observed), kept
    )
