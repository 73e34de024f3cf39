"""The codebook of the content tokenizer: centroids of what is there, none of them empty."""

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.tokenize.compact.codec import ClipFeatures
from curation.tokenize.compact.content import CompactContent, nearest
from curation.tokenize.fit.content import content_tensors, kmeans, shipped_projection
from curation.tokenize.fit.settings import FitSettings


def blobs(centres, count, seed=0):
    random = np.random.default_rng(seed)
    return np.concatenate([centre + 0.05 * random.standard_normal((count, len(centre))) for centre in centres]).astype(
        np.float32
    )


def test_clusters_that_lie_apart_are_found():
    centres = np.array([[0, 0], [5, 0], [0, 5], [5, 5], [9, 9]], np.float32)
    found = kmeans(blobs(centres, 60), 5, seed=0)
    order = nearest(centres, found)
    assert sorted(order) == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found[order], centres, atol=0.03)


def test_a_centroid_without_points_starts_again_where_points_are_far_from_theirs():
    """Many points are equal, so that several centroids begin at the same place."""
    points = np.concatenate([np.zeros((500, 2)), blobs(np.array([[4.0, 4.0], [-4.0, 4.0], [0.0, -6.0]]), 3)])
    found = kmeans(points.astype(np.float32), 4, seed=0)
    assert set(nearest(points.astype(np.float32), found)) == {0, 1, 2, 3}


def test_each_token_is_the_mean_of_four_states_in_the_projected_space():
    """As the tokenizer itself averages them: the points of the codebook are found again as its codes."""
    projection = shipped_projection()
    random = np.random.default_rng(0)
    groups = np.repeat(random.standard_normal((6, 384)), 4, axis=0).astype(np.float32)
    states = np.concatenate([groups, groups[:3]])  # what is left over makes no token
    clip = ClipFeatures(states, np.zeros((0, 64), np.float32), np.zeros(0, np.float32), np.zeros(0, bool))
    tensors = content_tensors([clip], FitSettings(content_codes=6), projection)
    assert tensors["codebook"].shape == (6, projection.matrix.shape[1])
    points = projection(groups[::4])
    assert sorted(nearest(points, tensors["codebook"])) == list(range(6))
    np.testing.assert_array_equal(tensors["mean"], CompactContent().mean)


def test_too_few_tokens_for_the_codes_are_refused():
    clip = ClipFeatures(np.zeros((40, 384), np.float32), *(np.zeros(0, np.float32) for _ in range(3)))
    with pytest.raises(DataError, match="10 content tokens for 11 codes: give more speech"):
        content_tensors([clip], FitSettings(content_codes=11), shipped_projection())
