"""The corpus of the learning benchmark: what is unseen is unseen."""

import random

import pytest

from tests.bench.command_corpus import COLOURS, PLACES, THINGS, UNSEEN, VERBS, VOICES, Sizes, commands, plan, texts


def words_of(utterance):
    return utterance.transcript.lower().translate(str.maketrans("", "", ",."))


def commands_of(utterances):
    return {command for one in utterances for command in words_of(one).split(" and ")}


def test_test_commands_and_unseen_voices_are_not_in_training():
    planned = plan(Sizes(train_texts=60, train_voices=3, test_texts=12))
    train = [one for one, _ in planned if one.condition == "train"]
    test = [one for one, _ in planned if one.condition != "train"]
    assert commands_of(train).isdisjoint(commands_of(test))
    assert {one.speaker for one in train} == {voice.name for voice in VOICES}
    unseen = {one.speaker for one in test if one.condition == "unseen-voice"}
    assert unseen == {voice.name for voice in UNSEEN}
    assert unseen.isdisjoint(one.speaker for one in train)


def test_every_training_text_is_spoken_by_several_voices():
    train = [one for one, _ in plan(Sizes(train_texts=20, train_voices=3)) if one.condition == "train"]
    speakers = {}
    for one in train:
        speakers.setdefault(one.transcript, set()).add(one.speaker)
    assert [len(names) for names in speakers.values()] == [3] * 20
    assert len({one.id for one in train}) == len(train)


def test_the_plan_is_the_same_every_time_and_every_word_is_trained():
    assert plan(Sizes()) == plan(Sizes())
    words = {word for one, _ in plan(Sizes()) if one.condition == "train" for word in words_of(one).split()}
    assert words == {"the", "and", *VERBS, *COLOURS, *THINGS, *" ".join(PLACES).split()}


def test_commands_differ_and_run_out_with_an_error():
    found = commands()
    assert len(set(found)) == len(found) == 4**4
    with pytest.raises(ValueError, match="too few"):
        texts(found[:4], 20, random.Random(0))  # noqa: S311 - no secret


def test_texts_differ():
    rng = random.Random(0)  # noqa: S311 - no secret
    made = texts(commands(), 300, rng)
    assert len(set(made)) == len(made) == 300
    assert sum(" and " not in one for one in made) == 100
