"""How well does the boundary stage tell cut words from whole ones? Prints a table; `--fit` prints new coefficients.

    python -m tests.bench.accuracy.boundary [--fit]

Fitted on one recording and synthetic voices, tested on recordings and speakers that the fit never saw.
Needs Debian's pocketsphinx-testdata; `--fit` also needs flite and espeak-ng.
"""

import argparse
from collections.abc import Callable, Iterable

import numpy as np

from curation.audio.wave import Wave
from curation.stages.boundary import OFFSET, SLOPE, BoundaryConfig, cut_probabilities, edge_levels
from curation.stages.denoise.rnnoise import RNNoise
from tests.bench.inputs.boundary_data import Edge, Spoken, edges, testing, training, with_noise

LIMITS = (0.5, BoundaryConfig().max_cut, 0.9)
"""Thresholds whose rates are printed."""
Change = Callable[[Wave, np.random.Generator], Wave]


def conditions() -> dict[str, Change]:
    """What happens to a recording before utterances are cut out of it."""
    rnnoise = RNNoise()
    rnnoise.load()
    return {
        "as recorded": lambda wave, _: wave,
        "20 dB SNR": lambda wave, rng: with_noise(wave, 20, rng),
        "10 dB SNR": lambda wave, rng: with_noise(wave, 10, rng),
        "RNNoise": lambda wave, _: rnnoise.denoise(wave),
        "10 dB, RNNoise": lambda wave, rng: rnnoise.denoise(with_noise(wave, 10, rng)),
    }


def collect(corpus: Iterable[Spoken], change: Change) -> list[Edge]:
    """All judged edges of a corpus under one condition."""
    found: list[Edge] = []
    for number, spoken in enumerate(corpus):
        rng = np.random.default_rng(number)
        changed = Spoken(spoken.group, change(spoken.wave, rng), spoken.words, spoken.ends)
        found += edges(changed, rng)
    return found


def fit(corpus: list[Spoken]) -> tuple[float, float]:
    """SLOPE and OFFSET: logistic regression of cut against edge level over all conditions, both classes alike."""
    from sklearn.linear_model import LogisticRegression

    found = [edge for change in conditions().values() for edge in collect(corpus, change)]
    levels = np.array([[edge_levels(edge.wave)[edge.side]] for edge in found])
    model = LogisticRegression(C=1e6, class_weight="balanced").fit(levels, [edge.cut for edge in found])
    slope = float(model.coef_[0, 0])
    return slope, float(-model.intercept_[0] / slope)


def report(title: str, found: list[Edge]) -> None:
    """One line: counts, area under the ROC curve, and the rates at three thresholds."""
    from sklearn.metrics import roc_auc_score

    cut = np.array([edge.cut for edge in found])
    score = np.array([cut_probabilities(edge.wave)[edge.side] for edge in found])
    rates = [f"{(score[~cut] > limit).mean():6.3f}{(score[cut] > limit).mean():6.3f}" for limit in LIMITS]
    print(f"{title:28} {(~cut).sum():5} {cut.sum():5}   {roc_auc_score(cut, score):.3f} " + "  ".join(rates))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--fit", action="store_true", help="print coefficients fitted on the training recordings")
    corpora = {"test": list(testing())}
    if parser.parse_args().fit:
        corpora = {"train": list(training()), **corpora}
        slope, offset = fit(corpora["train"])
        print(f"fitted SLOPE, OFFSET = {slope:.2f}, {offset:.3f}; in use {SLOPE}, {OFFSET}")
    print("share of whole and of cut edges above the thresholds", *LIMITS)
    print(f"{'edges':28} {'whole':>5} {'cut':>5}   AUC   " + "  ".join(f"{limit:^12}" for limit in LIMITS))
    for name, corpus in corpora.items():
        for condition, change in conditions().items():
            found = collect(corpus, change)
            report(f"{name}, {condition}", found)
            for group in dict.fromkeys(edge.group for edge in found):
                report(f"    {group}", [edge for edge in found if edge.group == group])


if __name__ == "__main__":
    main()
