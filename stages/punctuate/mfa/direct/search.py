"""The best path through the graph of an utterance (Viterbi), without a beam: it fails only where there is none.

All states of a frame are computed at once. Instead of the arc that each state came by, only every n-th frame's scores
are kept, n the root of the frames; on the way back each stretch is computed again. That takes twice the time for one
pass and memory for 2 n frames, not for all.
"""

import math

import numpy as np
import numpy.typing as npt

from curation.stages.punctuate.mfa.direct.graph import Graph

Scores = npt.NDArray[np.float64]
"""Log-likelihood of the best path to each state, shape (states,); -inf where none leads there."""
Path = npt.NDArray[np.intp]


def best_path(graph: Graph, emissions: npt.NDArray[np.floating]) -> tuple[Path, float] | None:
    """The state of each frame, shape (frames,), and the path's log-likelihood; None where no path is that short.

    `emissions` are scaled log-likelihoods of `graph.densities`, shape (frames, densities).
    """
    frames = len(emissions)
    stretch = math.isqrt(frames)
    scores = emissions[0, graph.density] - graph.first
    kept = [scores]
    for frame in range(1, frames):
        scores = _step(graph, scores, emissions[frame])
        if frame % stretch == 0:
            kept.append(scores)
    ended = scores - graph.last
    state = int(ended.argmax())
    if not np.isfinite(ended[state]):
        return None
    path = np.empty(frames, np.intp)
    path[-1] = state
    for start in range((frames - 1) // stretch * stretch, -1, -stretch):
        _trace(graph, emissions[start : start + stretch + 1], kept[start // stretch], path[start : start + stretch + 1])
    return path, float(ended[state])


def _step(graph: Graph, scores: Scores, emissions: npt.NDArray[np.floating]) -> Scores:
    arrived = scores.take(graph.source)
    arrived -= graph.cost
    found: Scores = arrived[: graph.layers[0]]
    at = graph.layers[0]
    for size in graph.layers[1:]:
        np.maximum(found[:size], arrived[at : at + size], out=found[:size])
        at += size
    return found + emissions.take(graph.density)


def _trace(graph: Graph, emissions: npt.NDArray[np.floating], scores: Scores, path: Path) -> None:
    """Fill `path` from its last state back; `scores` are those of its first frame."""
    before = [scores]
    for frame in range(1, len(path) - 1):
        before.append(_step(graph, before[-1], emissions[frame]))
    starts = np.cumsum([0, *graph.layers[:-1]])
    for frame in range(len(path) - 1, 0, -1):
        arcs = starts[: np.searchsorted(-np.array(graph.layers), -path[frame])] + path[frame]
        best = int((before[frame - 1][graph.source[arcs]] - graph.cost[arcs]).argmax())
        path[frame - 1] = graph.source[arcs[best]]
