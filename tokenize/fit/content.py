"""Fitting the codebook of the compact content tokenizer: k-means on projected Whisper states."""

import numpy as np

from curation.core.errors import DataError
from curation.tokenize.compact import content as compact_content
from curation.tokenize.compact.codec import ClipFeatures
from curation.tokenize.compact.features import Floats
from curation.tokenize.compact.weights import load_weights
from curation.tokenize.fit.phone_projection import Projection
from curation.tokenize.fit.settings import FitSettings


def shipped_projection() -> Projection:
    """Projection of the shipped content tokenizer."""
    tensors = load_weights(None, compact_content.FILE)
    return Projection(tensors["mean"].astype(np.float32), tensors["projection"].astype(np.float32))


def content_tensors(clips: list[ClipFeatures], settings: FitSettings, projection: Projection) -> dict[str, Floats]:
    """The content of `compact_content.safetensors`: centroids of projected states by Lloyd's algorithm."""
    per = compact_content.STATES_PER_TOKEN
    means = [c.states[: len(c.states) // per * per].reshape(-1, per, c.states.shape[1]).mean(axis=1) for c in clips]
    points = projection(np.concatenate(means).astype(np.float32))
    if len(points) < settings.content_codes:
        msg = f"fit: {len(points)} content tokens for {settings.content_codes} codes: give more speech"
        raise DataError(msg)
    codebook = kmeans(points, settings.content_codes, settings.seed)
    return {"mean": projection.mean, "projection": projection.matrix, "codebook": codebook}


def kmeans(points: Floats, codes: int, seed: int, rounds: int = 25) -> Floats:
    """Centroids (codes, D) of `points` (N, D); an empty one restarts at the point that is farthest from its own."""
    random = np.random.default_rng(seed)
    centroids = points[random.choice(len(points), codes, replace=False)]
    for _ in range(rounds):
        ids = np.concatenate([compact_content.nearest(part, centroids) for part in np.array_split(points, 32)])
        counts = np.bincount(ids, minlength=codes)
        order = np.argsort(ids, kind="stable")
        filled = np.flatnonzero(counts)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
        centroids = centroids.copy()
        centroids[filled] = np.add.reduceat(points[order], starts) / counts[filled, None]
        empty = np.flatnonzero(counts == 0)
        far = np.argsort(-((points - centroids[ids]) ** 2).sum(axis=1), kind="stable")[: len(empty)]
        centroids[empty] = points[far]
    return centroids
