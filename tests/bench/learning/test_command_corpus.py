"""The corpus of the learning benchmark: what is unseen is unseen."""

from collections import Counter
from itertools import combinations

import pytest

from tests.bench.learning.command_corpus import COLOURS, PLACES, THINGS, UNSEEN, VERBS, VOICES, Sizes, commands, plan


def parts(sizes):
    planned = [one for one, _ in plan(sizes)]
    return [one for one in planned if one.condition == "train"], [one for one in planned if one.condition != "train"]


def test_test_commands_and_unseen_voices_are_not_in_training():
    train, test = parts(Sizes())
    assert {one.transcript for one in train}.isdisjoint(one.transcript for one in test)
    assert {one.speaker for one in train} == {voice.name for voice in VOICES}
    unseen = {one.speaker for one in test if one.condition == "unseen-voice"}
    assert unseen == {voice.name for voice in UNSEEN}
    assert unseen.isdisjoint(one.speaker for one in train)


def test_half_of_the_training_commands_have_two_voices_and_all_voices_meet():
    train, _ = parts(Sizes())
    speakers = {}
    for one in train:
        speakers.setdefault(one.transcript, set()).add(one.speaker)
    assert Counter(len(names) for names in speakers.values()) == {2: 1500, 1: 1500}
    pairs = {frozenset(names) for names in speakers.values() if len(names) == 2}
    assert pairs == {frozenset(two) for two in combinations([voice.name for voice in VOICES], 2)}
    assert len({one.id for one in train}) == len(train)


def test_the_plan_is_the_same_every_time_and_every_word_is_trained():
    assert plan(Sizes()) == plan(Sizes())
    train, _ = parts(Sizes())
    words = {word for one in train for word in one.transcript.lower().rstrip(".").split()}
    assert words == {"the", *VERBS, *COLOURS, *THINGS, *" ".join(PLACES).split()}


def test_commands_differ_and_run_out_with_an_error():
    assert len(set(commands())) == len(commands()) == 8**4
    with pytest.raises(ValueError, match="too few"):
        plan(Sizes(pairs=8**4, singles=0, test=1))
