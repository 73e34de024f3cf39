"""The order of samples: of any number of ranks, after any stop, the one of an uninterrupted run."""

import itertools
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import DataError
from curation.train.data.config import DataConfig, TaskWeights
from curation.train.data.corpus import open_corpus
from curation.train.data.loader import PackedLoader
from curation.train.data.order import merge_states
from tests.support.synthetic import utterance, vocabulary, write_shards

VOCABULARY = vocabulary()
ROWS = 43
CONFIG = DataConfig(token_budget=100, block_rows=8, lanes=4, open_rows=3, prefetch=0)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("corpus"), [utterance(i) for i in range(ROWS)])


def ranks(corpus, world, config=CONFIG, state=None):
    """A loader for each rank."""
    loaders = [PackedLoader(open_corpus(corpus), VOCABULARY, config, rank=rank, world=world) for rank in range(world)]
    for loader in loaders:
        if state is not None:
            loader.load_state_dict(json.loads(json.dumps(state)))
    return loaders


def take(loaders, steps):
    """Keys of the rows that all ranks read in `steps` steps, in the global order."""
    read = [[batch.keys for batch in itertools.islice(loader, steps)] for loader in loaders]
    return list(itertools.chain.from_iterable(zip(*read, strict=True)))


@pytest.fixture(scope="module")
def uninterrupted(corpus):
    return take(ranks(corpus, 1), 160)


@settings(max_examples=settings.default.max_examples // 2)  # each opens up to a dozen loaders
@given(
    legs=st.lists(st.tuples(st.integers(1, 6), st.integers(0, 8)), min_size=1, max_size=3),
    prefetch=st.sampled_from([0, 3]),
)
def test_stopping_anywhere_and_going_on_with_other_ranks_changes_nothing(corpus, uninterrupted, legs, prefetch):
    config = CONFIG.model_copy(update={"prefetch": prefetch})
    state, seen = None, []
    for world, steps in [*legs, (1, 10)]:
        loaders = ranks(corpus, world, config, state)
        seen += take(loaders, steps)
        state = merge_states([loader.state_dict() for loader in loaders])
    assert seen == uninterrupted[: len(seen)]


@pytest.mark.parametrize("config", [{"lanes": 1}, {"lanes": 5}, {"block_rows": 1000}, {"open_rows": 50}])
def test_restore_with_other_lanes_and_blocks(corpus, config):
    config = CONFIG.model_copy(update=config)
    whole = take(ranks(corpus, 1, config), 90)
    loaders = ranks(corpus, 3, config)
    first = take(loaders, 11)
    rest = take(ranks(corpus, 2, config, merge_states([one.state_dict() for one in loaders])), 20)
    assert first + rest == whole[: 33 + 40]


def test_iterating_again_continues(corpus, uninterrupted):
    (loader,) = ranks(corpus, 1, CONFIG.model_copy(update={"prefetch": 4}))
    assert take([loader], 5) + take([loader], 6) == uninterrupted[:11]


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_worker_processes_change_nothing(corpus, uninterrupted, workers):
    loaders = [
        PackedLoader(open_corpus(corpus), VOCABULARY, CONFIG, rank=rank, world=2, num_workers=workers * rank)
        for rank in range(2)
    ]
    before = torch.get_rng_state()
    assert take(loaders, 15) == uninterrupted[:30]
    assert torch.equal(torch.get_rng_state(), before)  # dropout's
    state = merge_states([loader.state_dict() for loader in loaders])
    assert take(ranks(corpus, 1, state=state), 20) == uninterrupted[30:50]


def tasks_and_targets(keys):
    return [tuple(key.split()[:2]) for key in keys]


@pytest.mark.parametrize("world", [1, 3])
@pytest.mark.parametrize("epochs", [1, 3])
def test_each_utterance_comes_once_in_an_epoch_for_each_task(corpus, world, epochs):
    loaders = ranks(corpus, world, CONFIG.model_copy(update={"epochs": epochs}))
    keys = [key for loader in loaders for batch in loader for key in batch.keys]
    expected = [(task, f"utt-{i:05d}") for task in ("asr", "tts", "vc") for i in range(ROWS)] * epochs
    assert sorted(tasks_and_targets(keys)) == sorted(expected)
    assert sum(loader.counts.samples.total() for loader in loaders) == len(expected)


def test_epochs_come_one_after_the_other(corpus):
    (loader,) = ranks(corpus, 1, CONFIG.model_copy(update={"lanes": 1}))
    keys = list(itertools.chain.from_iterable(take([loader], 120)))
    samples = 3 * ROWS
    first, second = tasks_and_targets(keys[:samples]), tasks_and_targets(keys[samples : 2 * samples])
    assert sorted(first) == sorted(second)
    assert first != second


def test_fractional_weights_are_met_exactly_over_the_epochs(corpus):
    weights = TaskWeights(asr=0.5, tts=0.25, vc=0)
    (loader,) = ranks(corpus, 1, CONFIG.model_copy(update={"epochs": 4, "pretrain": weights}))
    keys = [key for batch in loader for key in batch.keys]
    expected = [("asr", f"utt-{i:05d}") for i in range(ROWS)] * 2 + [("tts", f"utt-{i:05d}") for i in range(ROWS)]
    assert sorted(tasks_and_targets(keys)) == sorted(expected)


def test_one_utterance_waits_for_its_epoch(tmp_path):
    """With a weight of 0.3 it has a sample in three or four epochs."""
    config = CONFIG.model_copy(update={"pretrain": TaskWeights(asr=0.3, tts=0, vc=0)})
    assert len(take(ranks(write_shards(tmp_path, [utterance(0)]), 1, config), 3)) == 3


def test_seed_and_epoch_change_the_order(corpus, uninterrupted):
    other = take(ranks(corpus, 1, CONFIG.model_copy(update={"seed": 1})), 20)
    assert other != uninterrupted[:20]


def test_a_restored_end_is_the_end(corpus):
    config = CONFIG.model_copy(update={"epochs": 1})
    (loader,) = ranks(corpus, 1, config)
    assert len(list(loader)) > 10
    assert list(*ranks(corpus, 1, config, merge_states([loader.state_dict()]))) == []
    longer = ranks(corpus, 1, CONFIG.model_copy(update={"epochs": 2}), merge_states([loader.state_dict()]))
    assert len(list(*longer)) > 10


def test_a_position_for_other_settings_is_refused(corpus):
    state = merge_states([loader.state_dict() for loader in ranks(corpus, 1)])
    with pytest.raises(DataError, match=r"token_budget was 100 and is 200: .*model\.start_from=RUN"):
        ranks(corpus, 1, CONFIG.model_copy(update={"token_budget": 200}), state)


def test_a_position_for_another_corpus_is_refused(corpus, tmp_path):
    state = merge_states([loader.state_dict() for loader in ranks(corpus, 1)])
    other = write_shards(tmp_path, [utterance(i) for i in range(ROWS - 1)])
    with pytest.raises(DataError, match="corpus was"):
        ranks(other, 1, state=state)


def test_a_moved_corpus_is_the_same_corpus(corpus, uninterrupted, tmp_path):
    (loader,) = ranks(corpus, 1)
    take([loader], 7)
    moved = write_shards(tmp_path / "elsewhere", [utterance(i) for i in range(ROWS)])
    assert take(ranks(moved, 1, state=loader.state_dict()), 5) == uninterrupted[7:12]


def test_states_that_do_not_belong_together_are_refused(corpus):
    loaders = ranks(corpus, 2)
    with pytest.raises(DataError, match=r"ranks \[0\], expected all of 2"):
        merge_states([loaders[0].state_dict()])
    with pytest.raises(DataError, match="one rank of 2"):
        loaders[0].load_state_dict(loaders[0].state_dict())
    take(loaders[:1], 1)
    with pytest.raises(DataError, match="different rows"):
        merge_states([loader.state_dict() for loader in loaders])


@pytest.mark.parametrize("world", [2, 3, 4])
def test_ranks_of_bounded_epochs_can_save_at_every_step_until_the_end(tmp_path, world):
    corpus = write_shards(tmp_path, [utterance(i) for i in range(ROWS // 2)])
    config = CONFIG.model_copy(update={"epochs": 1, "block_rows": 4})
    whole = [key for batch in ranks(corpus, 1, config)[0] for key in batch.keys]
    loaders = ranks(corpus, world, config)
    seen, streams = [], [iter(loader) for loader in loaders]
    while batches := [batch for batch in (next(stream, None) for stream in streams) if batch is not None]:
        seen += [key for batch in batches for key in batch.keys]
        rest = ranks(corpus, 1, config, merge_states([loader.state_dict() for loader in loaders]))
        left = [key for batch in rest[0] for key in batch.keys]
        assert not set(left) & set(seen)
        if CONFIG.lanes % world == 0:
            assert sorted(seen + left) == sorted(whole)
    assert sorted(seen) == sorted(whole)
    assert left == []
