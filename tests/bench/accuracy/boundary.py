"""How well does the boundary stage tell cut words from whole ones? Prints a table; `--fit` prints new coefficients.

    python -m tests.bench.accuracy.boundary [--fit] [FOLDER ...]

Fitted on one recording and synthetic voices, tested on recordings and speakers that the fit never saw, and on those of
folders whose `manifest.jsonl` has the columns path, language and transcript. Whole edges are those that diarization
makes in a pause; in brackets all of them, those also that are placed at random distances from a word. Cut ones are
mostly placed. `ends` are the recordings' own ends, where nothing lies beyond, as diarization leaves them: above the
default, and of how many; whether they are cut is not known.
Needs Debian's pocketsphinx-testdata; `--fit` also needs flite and espeak-ng.
"""

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.audio.cuts import cut_probabilities, speech_level
from curation.audio.edges import Floats, across, inside
from curation.audio.wave import Wave
from curation.stages.boundary import BoundaryConfig
from curation.stages.denoise.rnnoise import RNNoise
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.stage import Diarize
from tests.bench.inputs.boundary_data import (
    Edge,
    Spoken,
    diarized_edges,
    folder,
    music,
    pink,
    placed_edges,
    testing,
    training,
    with_noise,
)

DEFAULT = BoundaryConfig().max_cut
LIMITS = (0.3, DEFAULT, 0.7)
"""Thresholds whose rates are printed."""
EVEN, RARE = 0.0, -np.log(2)
"""Log odds of cut to whole: at edges inside a recording, and where it ends."""
DIARIZED_WEIGHT = 3
"""Whole edges that diarization made count more in the fit than placed ones."""
Change = Callable[[Wave, np.random.Generator], Wave]


def conditions() -> dict[str, Change]:
    """What happens to a recording before utterances are cut out of it."""
    rnnoise = RNNoise()
    rnnoise.load()
    return {
        "as recorded": lambda wave, _: wave,
        "white noise, 20 dB": lambda wave, rng: with_noise(wave, 20, rng),
        "white noise, 10 dB": lambda wave, rng: with_noise(wave, 10, rng),
        "pink noise, 10 dB": lambda wave, rng: with_noise(wave, 10, rng, pink),
        "music, 15 dB": lambda wave, rng: with_noise(wave, 15, rng, music),
        "music, 10 dB": lambda wave, rng: with_noise(wave, 10, rng, music),
        "after RNNoise": lambda wave, _: rnnoise.denoise(wave),
    }


def collect(corpus: Iterable[Spoken], change: Change, stage: Diarize) -> list[Edge]:
    """All edges of a corpus under one condition."""
    found: list[Edge] = []
    for number, spoken in enumerate(corpus):
        rng = np.random.default_rng(number)
        changed = Spoken(spoken.group, change(spoken.wave, rng), spoken.words, spoken.ends)
        found += [*placed_edges(changed, rng), *diarized_edges(changed, stage)]
    return found


def fit(found: list[Edge]) -> None:
    """Print weights and offsets: logistic regression of cut against the evidence, both classes alike."""
    for name, evidence, odds in (("ACROSS", across, EVEN), ("INSIDE", inside, RARE)):
        known = [edge for edge in found if edge.cut is not None and not (name == "ACROSS" and edge.outer)]
        rows = np.array([evidence(edge.wave, edge.at, edge.side, speech(edge)) for edge in known])
        counts = [1 if edge.placed else DIARIZED_WEIGHT for edge in known]
        weights, offset = regression(rows, np.array([edge.cut for edge in known]), np.array(counts, np.float64))
        print(f"{name}, {name}_OFFSET = ({', '.join(f'{w:.3g}' for w in weights)}), {offset + odds:.2f}")


def speech(edge: Edge) -> float:
    """The level of speech of its utterance."""
    return speech_level(edge.wave[edge.start : edge.end])


def regression(rows: Floats, cut: npt.NDArray[np.bool_], counts: Floats) -> tuple[Floats, float]:
    """Weights of the columns, and the offset."""
    from sklearn.linear_model import LogisticRegression

    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    model = LogisticRegression(class_weight="balanced").fit((rows - centre) / scale, cut, sample_weight=counts)
    weights = model.coef_[0] / scale
    return weights, float(model.intercept_[0] - weights @ centre)


def report(title: str, found: list[Edge]) -> None:
    """One row: area under the ROC curve, the rates at three thresholds, and the recordings' own ends."""
    from sklearn.metrics import roc_auc_score

    score = {id(edge): edge.speech * cut_probabilities(edge.wave, edge.start, edge.end)[edge.side] for edge in found}
    outer = np.array([score[id(edge)] for edge in found if edge.outer and not edge.placed])
    cut = [score[id(edge)] for edge in found if edge.cut and not edge.outer]
    every = [edge for edge in found if edge.cut is False and not edge.outer]
    if not cut or not every:
        print(f"| {title} | no word of it could be aligned |")
        return
    cells = []
    for whole in ([score[id(edge)] for edge in every if not edge.placed], [score[id(edge)] for edge in every]):
        area = roc_auc_score([0] * len(whole) + [1] * len(cut), whole + cut) if whole and cut else np.nan
        cells.append([f"{area:.3f}", *(f"{np.mean(np.array(whole) > limit):.3f}" for limit in LIMITS), str(len(whole))])
    cells.append([f"{np.mean(np.array(cut) > limit):.3f}" for limit in LIMITS])
    (area, *rates, count), (area_all, *rates_all, count_all), caught = cells
    shown = [f"{rate} ({other}) {hit}" for rate, other, hit in zip(rates, rates_all, caught, strict=True)]
    ends = f"{int((outer > DEFAULT).sum())} of {len(outer)}"
    print("|", " | ".join([title, f"{count} ({count_all})", str(len(cut)), f"{area} ({area_all})", *shown, ends]), "|")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--fit", action="store_true", help="print coefficients fitted on the training recordings")
    parser.add_argument("folders", nargs="*", type=Path)
    arguments = parser.parse_args()
    stage = Diarize(DiarizeConfig(max_seconds=5, max_pause_seconds=0.25, min_seconds=0.5))
    stage.setup()
    if arguments.fit:
        corpus = list(training())
        fit([edge for change in conditions().values() for edge in collect(corpus, change, stage)])
        return
    print(
        "| edges | whole | cut | AUC |", " | ".join(f"whole > {limit}, cut > {limit}" for limit in LIMITS), "| ends |"
    )
    print("|---" * (5 + len(LIMITS)) + "|")
    for make in (testing, *(partial(folder, path) for path in arguments.folders)):
        corpus = list(make())
        for condition, change in conditions().items():
            found = collect(corpus, change, stage)
            groups = dict.fromkeys(edge.group for edge in found) if make is not testing else {"packages": None}
            for group in groups:
                mine = [edge for edge in found if make is testing or edge.group == group]
                report(f"{group}, {condition}", mine)


if __name__ == "__main__":
    main()
