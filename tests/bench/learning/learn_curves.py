"""Loss curves of training runs as a picture.

python -m tests.bench.learning.learn_curves learn.png RUN [RUN ...]
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np

COLOURS = {"asr": "#0072b2", "tts": "#d55e00", "vc": "#009e73"}
STYLES = ("-", "--", ":", "-.")
SMOOTHING = 0.05
"""Share of the newest step in the running mean."""


def draw_curves(runs: Mapping[str, Path], target: Path) -> None:
    """Loss of each task over the tokens trained on, smoothed; dots: on held-out utterances. Logarithmic, because the
    tasks differ that much.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), dpi=80, layout="constrained")
    axes = figure.subplots()
    for (name, run), style in zip(runs.items(), STYLES, strict=False):
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        held_out = [line for line in lines if "validation" in line]
        for task, colour in COLOURS.items():
            points = [(line["tokens"], line["losses"][task]) for line in lines if task in line["losses"]]
            if points:
                tokens, losses = np.array(points).T
                axes.plot(tokens / 1e6, smooth(losses), style, color=colour, label=f"{task}, {name}", linewidth=1.4)
                dots = [(line["tokens"] / 1e6, line["validation"][task]) for line in held_out]
                axes.plot(*np.array(dots).reshape(-1, 2).T, "o" + style, color=colour, linewidth=0.7, markersize=3)
    axes.set(xlabel="million tokens trained on", ylabel="loss of the answer, nats a token", yscale="log")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend(frameon=False)
    figure.savefig(target, metadata={"Software": None})


def smooth(values: np.ndarray) -> np.ndarray:
    """Running mean that forgets; starts with the first value."""
    out = np.empty(len(values))
    mean = values[0]
    for place, value in enumerate(values):
        mean += SMOOTHING * (value - mean)
        out[place] = mean
    return out


if __name__ == "__main__":
    draw_curves({Path(run).name: Path(run) for run in sys.argv[2:]}, Path(sys.argv[1]))
