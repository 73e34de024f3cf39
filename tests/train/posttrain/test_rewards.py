"""What judges say of rollouts, and what follows within a group."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from curation.tokenize.base import CodecTokens
from curation.train.evaluate.run import Judges
from curation.train.posttrain.prompts import Prompt
from curation.train.posttrain.rewards import AnswerJudge, Verdict, advantages, ranked
from curation.train.posttrain.rollouts import Rollout, allowed_for

NAN = float("nan")
FEW = settings(max_examples=50)
REWARDS = arrays.arrays(
    float, st.tuples(st.integers(1, 4), st.integers(2, 6)), elements=st.one_of(st.floats(-1, 1), st.just(NAN))
)


@FEW
@given(REWARDS)
def test_advantages_are_of_mean_0_and_deviation_1_in_each_group_that_has_a_signal(rewards):
    found = advantages(rewards, 0.01)
    for row, known, group in zip(found, np.isfinite(rewards), rewards, strict=True):
        if not known.sum() > 1 or group[known].std() < 0.01:
            assert np.isnan(row).all()
            continue
        assert (np.isfinite(row) == known).all()
        assert row[known].mean() == pytest.approx(0, abs=1e-9)
        assert row[known].std() == pytest.approx(1)
        assert np.argmax(row[known]) == np.argmax(group[known])


@FEW
@given(REWARDS)
def test_the_best_is_ranked_over_the_worst_where_they_differ(rewards):
    flat = rewards.ravel()
    for better, worse in ranked(rewards, 0.01):
        assert better // rewards.shape[1] == worse // rewards.shape[1]
        assert flat[better] > flat[worse]
    assert len(ranked(rewards, 0.01)) == sum(np.isfinite(row).any() for row in advantages(rewards, 0.01))


class Ears:
    """A recogniser that fails on waves of one length, and hears "one two" else."""

    name = "ears"

    def __init__(self, fails=-1):
        self.fails = fails

    def hear(self, waves, languages):
        assert set(languages) == {"en"}
        if any(len(wave) == self.fails for wave in waves):
            msg = "out of breath"
            raise RuntimeError(msg)
        return ["one two" for _ in waves]


class Lengths:
    """Voices of waves: those of more than 4,000 samples, and others; no voice of some length."""

    name = "lengths"

    def __init__(self, unknown=-1):
        self.unknown = unknown

    def embed(self, waves):
        rows = [[np.nan] * 2 if len(wave) in {self.unknown, 320} else [len(wave) > 4000, 1.0] for wave in waves]
        return np.array(rows, np.float32) / np.sqrt(2)


def speech(model, length, *, text="One two three.", ended=True):
    voice = CodecTokens(np.zeros(30, np.int32), np.arange(32, dtype=np.int32))
    prompt = Prompt("tts", f"tts of {length}", np.arange(5, dtype=np.int32), text, "en", 20, voice)
    allowed = allowed_for(model, "tts")
    return Rollout(prompt, allowed, np.arange(length, dtype=np.int32) + allowed.body.start, allowed.ends[0] * ended)


def test_speech_is_judged_by_its_words_and_its_voice(model):
    judge = AnswerJudge(model, Judges(Ears(), Lengths()), batch=2)
    found = judge([speech(model, 30), speech(model, 10), speech(model, 1)])
    assert found == [Verdict(pytest.approx(1 / 3), pytest.approx(similar)) for similar in (1.0, 0.5, 0.0)]
    assert found[0].reward(0.5) == pytest.approx(0.5 - 1 / 3)
    assert AnswerJudge(model, Judges(Ears()))([speech(model, 30)]) == [Verdict(pytest.approx(1 / 3))]


def test_an_answer_without_end_or_content_is_as_wrong_as_can_be_and_not_heard(model):
    judge = AnswerJudge(model, Judges(Ears(fails=0), Lengths()))
    endless = Rollout(*[getattr(speech(model, 30), name) for name in ("prompt", "allowed", "ids")], -1)
    assert judge([endless, speech(model, 0)]) == [Verdict(1.0, 0.0)] * 2


def test_more_errors_than_words_count_as_all_words(model):
    assert AnswerJudge(model, Judges(Ears()))([speech(model, 30, text="Three.")]) == [Verdict(1.0)]


def test_what_a_judge_fails_on_is_left_out_and_said_alone(model, caplog):
    with caplog.at_level(logging.WARNING):
        found = AnswerJudge(model, Judges(Ears(fails=320 * 7)))([speech(model, 30), speech(model, 7), speech(model, 9)])
    assert [verdict is None for verdict in found] == [False, True, False]
    assert "tts of 7" in caplog.text
    assert "out of breath" in caplog.text
    unknown = AnswerJudge(model, Judges(Ears(), Lengths(unknown=320 * 20)))
    assert unknown([speech(model, 20), speech(model, 30)])[0] is None


def test_recognised_text_is_compared_with_the_corpus(model):
    prompt = Prompt("asr", "asr x", np.arange(5, dtype=np.int32), "One, two three four.", "en", 20, None)
    allowed = allowed_for(model, "asr")
    answers = [
        Rollout(prompt, allowed, model.vocabulary.text_ids(text), end)
        for text, end in (("one two three four", allowed.ends[0]), ("one two", allowed.ends[0]), ("one", -1))
    ]
    assert AnswerJudge(model, Judges())(answers) == [Verdict(0.0), Verdict(0.5), Verdict(1.0)]
