"""Some codes that the model is given become near ones; nothing else changes."""

import itertools

import numpy as np
import pytest
import torch

from curation.train.data.batch import IGNORED
from curation.train.data.code_noise import NEAREST, CodeNoise, nearest
from curation.train.data.config import DataConfig
from curation.train.data.corpus import open_corpus
from curation.train.data.loader import PackedLoader
from curation.train.data.order import merge_states
from tests.support.synthetic import SIZES, utterance, vocabulary, write_shards

VOCABULARY = vocabulary()
ROWS = 12


@pytest.fixture(scope="module")
def vectors():
    generator = np.random.default_rng(0)
    return {stream: generator.standard_normal((size, 3)).astype(np.float32) for stream, size in SIZES.items()}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("corpus"), [utterance(i) for i in range(60)])


def read(corpus, vectors, share, *, rows=ROWS, state=None, **place):
    loader = PackedLoader(
        open_corpus(corpus), VOCABULARY, DataConfig(token_budget=200, code_noise=share), code_vectors=vectors, **place
    )
    if state:
        loader.load_state_dict(state)
    return list(itertools.islice(loader, rows)), loader


def test_answers_texts_and_voices_stay(corpus, vectors):
    clean, noisy = (read(corpus, vectors, share)[0] for share in (0.0, 0.5))
    for one, other in zip(clean, noisy, strict=True):
        assert one.keys == other.keys
        assert torch.equal(one.labels, other.labels)
    before, after, labels = (torch.cat(rows) for rows in zip(*columns(clean, noisy), strict=True))
    changed = before != after
    found = {name for code in set(before[changed].tolist()) for name, ids in VOCABULARY.streams.items() if code in ids}
    assert found == {"glm", "semantic"}
    assert all(any(code in ids for ids in VOCABULARY.streams.values()) for code in set(before[changed].tolist()))
    assert (labels[changed] != IGNORED).any()  # the past of an answer is noisy too


def columns(clean, noisy):
    for one, other in zip(clean, noisy, strict=True):
        yield one.ids, other.ids, one.labels


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_as_many_codes_as_asked_for_become_near_ones(vectors, share):
    ids = np.concatenate([np.tile(np.asarray(VOCABULARY.streams[name]), 400) for name in ("glm", "semantic")])
    noisy = CodeNoise(share, VOCABULARY, vectors)(ids, np.random.default_rng(1))
    assert np.mean(noisy != ids) == pytest.approx(share, abs=0.02)
    points = vectors["semantic"]
    start = VOCABULARY.streams["semantic"].start
    first = {int(code) for code in noisy[ids == start]} - {start}
    order = np.linalg.norm(points - points[0], axis=1).argsort()[1 : NEAREST + 1]
    assert first <= set(order + start)
    assert share == 0 or len(first) == NEAREST


def test_the_noise_belongs_to_the_place_in_the_data(corpus, vectors):
    """Not to who reads it: also after going on, and with two ranks."""
    whole, _ = read(corpus, vectors, 0.5)
    first, loader = read(corpus, vectors, 0.5, rows=5)
    rest, _ = read(corpus, vectors, 0.5, rows=ROWS - 5, state=merge_states([loader.state_dict()]))
    ranks = [read(corpus, vectors, 0.5, rows=ROWS // 2, rank=rank, world=2)[0] for rank in range(2)]
    mixed = [row for pair in zip(*ranks, strict=True) for row in pair]
    for one, other, third in zip(whole, first + rest, mixed, strict=True):
        assert torch.equal(one.ids, other.ids)
        assert torch.equal(one.ids, third.ids)


def test_each_epoch_has_other_noise(corpus, vectors):
    rows, _ = read(corpus, vectors, 0.5, rows=200)
    asr = [
        tuple(ids.tolist())
        for row in rows
        for key, ids in zip(row.keys, row.ids.split(row.lengths.tolist()), strict=True)
        if key == "asr utt-00001"
    ]
    assert len(asr) > 2
    assert len(set(asr)) == len(asr)


def test_without_vectors_it_is_refused(corpus):
    with pytest.raises(ValueError, match=r"data\.code_noise"):
        PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(code_noise=0.1))


def test_nearest_leaves_out_the_code_itself_and_manages_with_few():
    points = torch.tensor([[0.0], [1.0], [4.0], [4.0]])
    assert nearest(points, 1)[:, 0].tolist() == [1, 0, 3, 2]
    assert nearest(points, 10).shape == (4, 3)
    assert all(row not in near for row, near in enumerate(nearest(points, 3).tolist()))
