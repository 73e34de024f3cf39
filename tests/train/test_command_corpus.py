"""The corpus of the learning benchmark: what is unseen is unseen."""

import pytest

from tests.bench.command_corpus import COLOURS, PLACES, THINGS, UNSEEN, VERBS, VOICES, Sizes, commands, plan


def test_test_commands_and_unseen_voices_are_not_in_training():
    planned = plan(Sizes())
    train = [one for one, _ in planned if one.condition == "train"]
    test = [one for one, _ in planned if one.condition != "train"]
    assert {one.transcript for one in train}.isdisjoint(one.transcript for one in test)
    assert {one.speaker for one in train} == {voice.name for voice in VOICES}
    unseen = {one.speaker for one in test if one.condition == "unseen-voice"}
    assert unseen == {voice.name for voice in UNSEEN}
    assert unseen.isdisjoint(one.speaker for one in train)


def test_every_training_command_is_spoken_by_several_voices():
    train = [one for one, _ in plan(Sizes(train_texts=20, train_voices=3)) if one.condition == "train"]
    speakers = {}
    for one in train:
        speakers.setdefault(one.transcript, set()).add(one.speaker)
    assert [len(names) for names in speakers.values()] == [3] * 20
    assert len({one.id for one in train}) == len(train)


def test_the_plan_is_the_same_every_time_and_every_word_is_trained():
    assert plan(Sizes()) == plan(Sizes())
    words = {word for one, _ in plan(Sizes()) if one.condition == "train" for word in one.transcript.split()}
    assert words == {"the", *VERBS, *COLOURS, *THINGS, *" ".join(PLACES).split()}


def test_commands_differ_and_run_out_with_an_error():
    assert len(set(commands())) == 4**4
    with pytest.raises(ValueError, match="too few"):
        plan(Sizes(train_texts=200, test_texts=57))
