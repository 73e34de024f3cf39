"""Prompts from the shards: which, in which order, and from a position on."""

import numpy as np
import pytest

from curation.core.errors import DataError
from curation.tokenize.layouts import Asr, Tts, Vc, decode
from curation.train.data.blocks import Blocks
from curation.train.data.config import DataConfig, PromptWeights
from curation.train.data.corpus import open_corpus
from curation.train.posttrain.prompts import Prompts
from tests.support import synthetic
from tests.train.test_run import shards

ALL = DataConfig(posttrain=PromptWeights(vc=1), epochs=1, block_rows=16, token_budget=200)


def prompts_of(where, config=ALL, start="weights"):
    vocabulary = synthetic.vocabulary()
    return Prompts(Blocks(open_corpus(where), vocabulary, config, "posttrain"), vocabulary, start)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return shards(tmp_path_factory.mktemp("corpus"))


def test_prompts_are_those_of_the_tasks_without_their_answers(corpus):
    vocabulary, rows = synthetic.vocabulary(), {row["id"]: row for row in map(synthetic.utterance, range(60))}
    found = prompts_of(corpus).take(1000)
    assert len(found) == 3 * 60
    for prompt in found:
        _, target, *_ = prompt.key.split()
        row = rows[target]
        answer = (
            vocabulary.text_ids(row["text"])
            if prompt.task == "asr"
            else vocabulary.speech_ids("semantic", row["semantic"])
        )
        ends = ["end_content", "im_end"] if prompt.task == "asr" else ["im_end"]
        whole = np.concatenate([prompt.ids, answer, [vocabulary.markers[end] for end in ends]])
        example = decode(whole, vocabulary)
        assert isinstance(example, {"asr": Asr, "tts": Tts, "vc": Vc}[prompt.task])
        assert len(whole) - len(prompt.ids) == prompt.answer
        assert (prompt.text, prompt.language) == (row["text"], "en")
        assert any(row["semantic"] == prompt.voice.semantic.tolist() for row in rows.values())
        if prompt.task != "asr":
            np.testing.assert_array_equal(example.global_, prompt.voice.global_)


def test_a_position_goes_on_with_the_same_prompts_and_other_data_are_refused(corpus):
    whole, parts = prompts_of(corpus), prompts_of(corpus)
    keys = [prompt.key for prompt in whole.take(100)]
    first = [prompt.key for prompt in parts.take(41)]
    state = parts.merge_states([parts.state_dict()])
    second = prompts_of(corpus)
    second.load_state_dict(state)
    assert first + [prompt.key for prompt in second.take(59)] == keys
    for other, reason in (
        (prompts_of(corpus, start="others"), "start_from"),
        (prompts_of(corpus, ALL.model_copy(update={"seed": 1})), "seed"),
    ):
        with pytest.raises(DataError, match=f"{reason} was"):
            other.load_state_dict(state)
    with pytest.raises(DataError, match="sample"):
        second.load_state_dict({**state, "sample": -1})


def test_only_the_split_for_training_gives_prompts(tmp_path):
    where = shards(tmp_path, splits=("train", "dev", "test"), split={"dev": 0.3, "test": 0.3, "by": [], "salt": 0})
    found = {prompt.key.split()[1] for prompt in prompts_of(where).take(1000)}
    assert found == {f"utt-{number:05d}" for number in range(0, 60, 3)}


def test_texts_without_words_are_skipped_and_counted(tmp_path):
    rows = [synthetic.utterance(number) for number in range(6)]
    rows[2]["text"] = "?!"
    prompts = prompts_of(synthetic.write_shards(tmp_path / "some", rows))
    assert len(prompts.take(100)) == 15
    assert prompts.skipped == 3
    silent = synthetic.write_shards(tmp_path / "none", [row | {"text": "..."} for row in rows])
    with pytest.raises(DataError, match="no prompt with words"):
        prompts_of(silent, ALL.model_copy(update={"epochs": None})).take(1)
