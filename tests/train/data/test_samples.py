"""Samples of utterances: how many, whose voice, whose words, how long."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.schemas import SHARDS
from curation.train.data.batch import TASKS
from curation.train.data.config import DataConfig, TaskWeights
from curation.train.data.samples import draft_samples, other_of_same, parallel_partners, sample_counts
from curation.train.data.utterances import COLUMNS, utterances_of
from tests.support.synthetic import utterance, vocabulary

VOCABULARY = vocabulary()


def utterances(rows):
    return utterances_of(pa.Table.from_pylist(rows, schema=SHARDS).select(COLUMNS), VOCABULARY, "corpus")


def spoken(*parts):
    """Utterances by (speaker, text) or (speaker, text, language)."""
    rows = [utterance(i) for i in range(len(parts))]
    return utterances(
        [
            row | {"speaker": part[0], "text": part[1], "language": (*part, "en")[2]}
            for row, part in zip(rows, parts, strict=True)
        ]
    )


def drafts_of(found, config, phase="pretrain", epoch=0, seed=0):
    return draft_samples(found, config, phase, epoch, np.random.default_rng(seed))


@given(weight=st.floats(0, 3), epochs=st.integers(1, 12))
def test_weights_hold_for_every_utterance_over_the_epochs(weight, epochs):
    ids = [f"utt-{i}" for i in range(30)]
    total = sum(sample_counts(ids, weight, "s", epoch) for epoch in range(epochs))
    assert np.all(np.abs(total - weight * epochs) <= 1)


def test_half_a_sample_is_another_half_of_the_corpus_each_epoch():
    ids = [f"utt-{i}" for i in range(400)]
    even, odd, third = (sample_counts(ids, 0.5, "s", epoch) for epoch in range(3))
    assert np.array_equal(even + odd, np.ones(400))
    assert np.array_equal(even, third)
    assert 150 < even.sum() < 250


@given(groups=st.lists(st.integers(-1, 4), min_size=1, max_size=30), seed=st.integers(0, 99))
def test_another_row_of_the_group_where_there_is_one(groups, seed):
    groups = np.array(groups)
    own = np.arange(len(groups))
    other = other_of_same(groups, own, groups, np.random.default_rng(seed))
    for row, found in zip(own, other, strict=True):
        alone = groups[row] == -1 or np.sum(groups == groups[row]) == 1
        assert (found == row) == alone
        assert groups[found] == groups[row]


def test_every_other_row_of_the_group_can_be_chosen():
    groups = np.array([0, 1, 0, 0, 0])
    own = np.zeros(300, dtype=np.int64)
    found = other_of_same(groups[own], own, groups, np.random.default_rng(0))
    assert set(found) == {2, 3, 4}


@given(
    parts=st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.sampled_from(["x.", "X", "y", "?"])), min_size=1),
    seed=st.integers(0, 99),
)
def test_parallel_partners_are_all_utterances_of_the_same_words_by_others(parts, seed):
    found = spoken(*parts)
    target = np.arange(len(parts))
    partners = parallel_partners(found, target, np.random.default_rng(seed))
    for row, partner in zip(target, partners, strict=True):
        speaker, words = parts[row][0], parts[row][1].strip(".?").lower()
        possible = {
            i
            for i, (other, text) in enumerate(parts)
            if speaker and other and words and other != speaker and text.strip(".?").lower() == words
        }
        assert partner in (possible or {-1})


def test_the_same_words_in_two_languages_are_no_pair():
    found = spoken(("a", "No.", "en"), ("b", "no", "it"))
    assert list(parallel_partners(found, np.arange(2), np.random.default_rng(0))) == [-1, -1]


@pytest.mark.parametrize("share", [0.0, 0.25, 0.6, 1.0])
def test_share_of_parallel_pairs(share):
    """Each sample draws for itself: within four standard deviations of the share."""
    count = 400
    found = spoken(*[("ab"[i % 2], "same words") for i in range(count)])
    drafts = drafts_of(found, DataConfig(parallel=share, pretrain=TaskWeights(asr=0, tts=0)))
    slack = 4 * (count * share * (1 - share)) ** 0.5
    assert abs(np.sum(drafts.source != drafts.target) - count * share) <= slack
    assert np.all(found.speakers[drafts.reference] == found.speakers[drafts.target])
    assert np.all(drafts.reference != drafts.target)  # the voice is not taken from the answer itself


def test_weights_of_the_phase_count():
    found = utterances([utterance(i) for i in range(12)])
    config = DataConfig(pretrain=TaskWeights(asr=2, tts=0, vc=1), sft=TaskWeights(asr=0, tts=3, vc=0))
    counted = {phase: np.bincount(drafts_of(found, config, phase).task, minlength=3) for phase in ("pretrain", "sft")}
    assert list(counted["pretrain"]) == [24, 0, 12]
    assert list(counted["sft"]) == [0, 36, 0]


def test_half_of_the_utterances_are_others_for_each_task_and_seed():
    """Else an utterance that TTS leaves out in an epoch would be left out by ASR and VC too."""
    found = utterances([utterance(i) for i in range(60)])
    half = TaskWeights(asr=0.5, tts=0.5, vc=0.5)
    used = []
    for seed in (0, 1):
        drafts = drafts_of(found, DataConfig(pretrain=half, seed=seed))
        used += [frozenset(drafts.target[drafts.task == task].tolist()) for task in range(len(TASKS))]
    assert len(set(used)) == 6
    assert all(10 < len(targets) < 50 for targets in used)


def test_an_utterance_without_text_is_only_converted():
    drafts = drafts_of(spoken(("a", ""), ("a", "yes")), DataConfig())
    assert [TASKS[task] for task in drafts.task[drafts.target == 0]] == ["vc"]
    assert sorted(TASKS[task] for task in drafts.task[drafts.target == 1]) == ["asr", "tts", "vc"]


def test_a_row_without_tokens_is_an_error_that_names_it():
    with pytest.raises(ValueError, match="utt-00001 has no semantic tokens"):
        utterances([utterance(0), utterance(1) | {"semantic": None}])


@pytest.mark.parametrize("code", [-1, 30])
def test_a_code_beyond_the_codebook_is_an_error_that_names_the_utterance(code):
    with pytest.raises(ValueError, match=r"corpus: utterance utt-00002: .*semantic codes are within 0\.\.29"):
        utterances([utterance(0), utterance(1) | {"semantic": []}, utterance(2) | {"semantic": [29, code]}])
