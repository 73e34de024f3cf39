"""Is the calibrated confidence right, and does it choose better than pWER? On utterances whose text is known.

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.calibration FOLDER [--write]

FOLDER keeps the audio and what the systems heard (about 10 minutes of CPU at the first run). Every figure comes from
cross-validation over voices, so no utterance is judged by a fit that saw its voice. `--write` stores the fit as the
default calibration.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from curation.cli.tables import reliability_table
from curation.fit.consensus import (
    Fitted,
    ReferenceUtterance,
    evidence_rows,
    fit_consensus,
    fit_rows,
    outcome_of,
    to_calibration,
)
from curation.fit.reliability import Outcome, Vector, bootstrap, mean_kept_wer, reliability
from curation.manifests.records import Hypothesis, Recording, Segment, Source
from curation.stages.consensus.agreement import agree
from curation.stages.consensus.confidence import DEFAULT
from curation.stages.consensus.stage import Consensus
from curation.text.normalize import normalizer_for
from tests.bench.inputs.calibration_asr import FIVE, heard, load_utterances
from tests.bench.inputs.calibration_data import Utterance

SHARES = (0.25, 0.5, 0.75, 0.9)
ALL_SHARES = tuple(np.arange(0.1, 0.95, 0.1))
REAL = frozenset({"librivox", "sample", "two_cities"})
PAPER = 0.15
console = Console(width=110)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="store the fit as the default calibration")
    options = parser.parse_args()
    material = load_utterances(options.folder)
    found = {section.name: heard(options.folder, material, section) for section in FIVE}
    sets = {}
    for names in (list(found)[:3], list(found)):
        sets[len(names)] = labelled = [label(item, [found[name][item.id] for name in names]) for item in material]
        print_systems(labelled, names)
        fitted = fit_consensus(labelled)
        print_fit(fitted, labelled, f"{len(names)} systems")
    for count, labelled in sets.items():
        print_synthetic_to_real(labelled, count)
    print_speed(sets[5])
    if options.write:
        write_default(sets)


def label(item: Utterance, hypotheses: Sequence) -> ReferenceUtterance:
    return ReferenceUtterance(item.id, item.voice, len(item.wave) / 16_000, "en", list(hypotheses), item.reference)


def sentence_of(item: ReferenceUtterance) -> str:
    """Copies of one sentence are drawn together."""
    return item.id.rsplit("-", 1)[0] if item.group in REAL else item.id


def print_systems(labelled: Sequence[ReferenceUtterance], names: Sequence[str]) -> None:
    """WER of each system, and of the vote with other weights than 0.5 + 0.5 x confidence."""
    console.print(f"\n{len(labelled)} utterances, {sum(item.seconds for item in labelled) / 60:.1f} min; WER:")

    def show(title: str, change: Callable[[Hypothesis], Hypothesis | None]) -> None:
        changed = [
            replace(item, hypotheses=[new for one in item.hypotheses if (new := change(one))]) for item in labelled
        ]
        outcome = outcome_of(changed, {}, "vote")
        console.print(
            f"  {title:28} {outcome.errors.sum() / outcome.words.sum():.3f} ({outcome.errors.sum():.0f} errors)"
        )

    for name in names:
        show(name, lambda one, name=name: one if one.system == name else None)
    show("vote (default)", lambda one: one)
    show("vote, unweighted", lambda one: replace(one, confidence=None))
    show("vote, confidence squared", lambda one: replace(one, confidence=one.confidence and one.confidence**2))


def print_fit(fitted: Fitted, labelled: Sequence[ReferenceUtterance], title: str) -> None:
    console.print(
        f"{title}: word errors of {fitted.words}: {fitted.equal_errors} with equal weights, "
        f"{fitted.learned_errors} with weights learned on other voices {fitted.calibration.weights}"
    )
    outcome = fitted.outcome
    console.print(reliability_table(f"{title}: calibrated, other voices", reliability(fitted.predicted, outcome.right)))
    plain = reliability(fitted.plain, outcome.right)
    console.print(f"`confidence` without calibration: ECE {plain.expected_error:.3f}, Brier {plain.brier:.4f}")
    print_kept(outcome, fitted.predicted, fitted.plain, fitted.pwer, [sentence_of(item) for item in labelled], title)


def print_kept(
    outcome: Outcome, predicted: Vector, plain: Vector, pwer: Vector, groups: Sequence[str], title: str
) -> None:
    """WER of the kept text at equal hours, with 95 % intervals of the difference."""
    table = Table(title=f"{title}: WER of the kept text at equal hours")
    for name in ("kept", "pWER alone", "confidence", "calibrated", "calibrated - pWER (95 %)"):
        table.add_column(name, justify="right")
    scores = [-pwer, plain, predicted]
    at_threshold = float(outcome.seconds[pwer < PAPER].sum() / outcome.seconds.sum())
    asked = {f"{share:.0%}": (share,) for share in SHARES}
    asked |= {f"{at_threshold:.0%} (pWER < 0.15)": (at_threshold,), "mean of 10% to 90%": ALL_SHARES}
    for name, shares in asked.items():
        rates = [mean_kept_wer(outcome, score, shares) for score in scores]
        drawn = bootstrap(outcome, scores, shares, groups, 500)
        low, high = np.quantile(drawn[:, 2] - drawn[:, 0], [0.025, 0.975])
        difference = f"{rates[2] - rates[0]:+.4f} ({low:+.4f} to {high:+.4f})"
        table.add_row(name, *(f"{rate:.4f}" for rate in rates), difference)
    console.print(table)
    order = np.argsort(-predicted)
    same = int(np.searchsorted(np.cumsum(outcome.seconds[order]), at_threshold * outcome.seconds.sum()))
    console.print(f"as many seconds as pWER < {PAPER}: calibrated >= {predicted[order][same]:.2f}")


def print_synthetic_to_real(labelled: Sequence[ReferenceUtterance], count: int) -> None:
    """The confidence fitted on synthetic voices only, on real ones only."""
    real = [item for item in labelled if item.group in REAL]
    rows = {item.id: evidence_rows(item, {}, "vote") for item in labelled}
    model = fit_rows([rows[item.id] for item in labelled if item.group not in REAL])
    own = [rows[item.id] for item in real]
    predicted = model.predict(np.stack([row.whole for row in own]))
    outcome = outcome_of(real, {}, "vote")
    title = f"{count} systems, fitted on synthetic speech, real speech"
    console.print(reliability_table(title, reliability(predicted, outcome.right)))
    plain, pwer = (np.array([getattr(row, name) for row in own]) for name in ("plain", "pwer"))
    print_kept(outcome, predicted, plain, pwer, [sentence_of(item) for item in real], title)


def print_speed(labelled: Sequence[ReferenceUtterance]) -> None:
    """The stage with five systems, and without the normaliser (its texts remembered)."""
    segments = [
        Segment(0, round(item.seconds * 16_000), language="en", hypotheses=item.hypotheses) for item in labelled
    ]
    recording = Recording(Source("bench", "bench"), segments=segments)
    stage = Consensus()
    stage.setup()
    spent = []
    for _ in range(3):
        start = time.process_time()
        stage.process([recording])
        spent.append(time.process_time() - start)
    english = normalizer_for("en")
    memory = {item.text: english.spans(item.text) for one in labelled for item in one.hypotheses}
    memory |= {segment.text: english.spans(segment.text) for segment in segments}
    remembered = replace(english, spans=memory.__getitem__)
    start = time.process_time()
    for item in labelled:
        agree(item.hypotheses, remembered, item.seconds)
    bare = time.process_time() - start
    console.print(
        f"consensus of 5 systems: {min(spent) / len(labelled) * 1e6:.0f} µs of CPU per utterance, "
        f"{bare / len(labelled) * 1e6:.0f} µs of it not in the text normaliser"
    )


def write_default(sets: dict[int, list[ReferenceUtterance]]) -> None:
    """Fit on everything, with three and with five systems and all subsets of either; equal weights."""
    rows = [evidence_rows(item, {}, "vote") for labelled in sets.values() for item in labelled]
    voices = len({item.group for item in sets[3]})
    about = f"tests/bench/accuracy/calibration.py: {len(sets[3])} utterances of {voices} voices, most of them degraded"
    content = to_calibration(fit_rows(rows), {}, about).model_dump()
    DEFAULT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    console.print(f"wrote {DEFAULT}")


if __name__ == "__main__":
    main()
