"""Speech codes that sound alike start alike."""

import numpy as np
import pytest
import torch

from curation.tokenize.registry import load_codec, load_content
from curation.tokenize.vocabulary import make_vocabulary
from curation.train.model.code_embeddings import code_vectors, fourier_features, start_from_codebooks
from curation.train.model.qwen3 import build_model


@pytest.fixture(scope="module")
def vectors():
    return code_vectors(load_content("compact"), load_codec("compact"))


@pytest.fixture(scope="module")
def vocabulary(vectors):
    return make_vocabulary(**{stream: len(codes) for stream, codes in vectors.items()})


def embeddings(model, ids):
    rows = model.get_input_embeddings().weight.detach()[ids.start : ids.stop]
    return torch.nn.functional.normalize(rows, dim=1)


def test_near_codes_are_alike_and_far_ones_are_not(vectors, vocabulary):
    model = build_model("tiny", vocabulary.size)
    start_from_codebooks(model, vocabulary, vectors)
    for stream, codes in vectors.items():
        points, rows = torch.from_numpy(codes), embeddings(model, vocabulary.streams[stream])
        order = torch.cdist(points[:1], points)[0].argsort()
        likeness = rows @ rows[0]
        near, far = likeness[order[1:6]].mean(), likeness[order[-len(order) // 4 :]].mean()
        assert near > 0.4, stream
        assert far.abs() < 0.15, stream
        assert near < 0.999, stream


def test_only_speech_codes_change_and_keep_their_size(vectors, vocabulary):
    fresh, model = build_model("tiny", vocabulary.size), build_model("tiny", vocabulary.size)
    start_from_codebooks(model, vocabulary, vectors)
    before, after = (m.get_input_embeddings().weight.detach() for m in (fresh, model))
    codes = torch.zeros(vocabulary.size, dtype=torch.bool)
    for ids in vocabulary.streams.values():
        codes[ids.start : ids.stop] = True
        ratio = after[ids.start : ids.stop].std() / before[ids.start : ids.stop].std()
        assert float(ratio) == pytest.approx(1, abs=0.05)
    assert torch.equal(before[~codes], after[~codes])
    assert not (before[codes] == after[codes]).all(dim=1).any()
    assert model.lm_head.weight is model.get_input_embeddings().weight


def test_the_seed_decides(vectors, vocabulary):
    models = []
    for seed in (1, 1, 2):
        models.append(build_model("tiny", vocabulary.size))
        start_from_codebooks(models[-1], vocabulary, vectors, seed)
    first, second, third = (model.get_input_embeddings().weight for model in models)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_inner_products_are_the_kernel():
    points = torch.from_numpy(np.random.default_rng(0).standard_normal((300, 4), np.float32))
    features = fourier_features(points, 8192, torch.Generator().manual_seed(0))
    distances = torch.cdist(points, points)
    width = 0.5 * distances[torch.triu_indices(300, 300, 1).unbind()].median()
    kernel = torch.exp(-distances.square() / (2 * width**2))
    assert (features @ features.T / 8192 - kernel).abs().max() < 0.08
