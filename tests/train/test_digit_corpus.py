"""The corpus of the learning benchmark: what is unseen is unseen."""

import random

from curation.stages.normalization import normalizer_for
from tests.bench.digit_corpus import DIGITS, UNSEEN, VOICES, Sizes, distinct_strings, plan


def test_test_strings_and_unseen_voices_are_not_in_training():
    planned = plan(Sizes(train_strings=60, train_voices=3, test_strings=12))
    train = [one for one, _ in planned if one.condition == "train"]
    test = [one for one, _ in planned if one.condition != "train"]
    assert {one.transcript for one in train}.isdisjoint(one.transcript for one in test)
    assert {one.speaker for one in train} == {voice.name for voice in VOICES}
    unseen = {one.speaker for one in test if one.condition == "unseen-voice"}
    assert unseen == {voice.name for voice in UNSEEN}
    assert unseen.isdisjoint(one.speaker for one in train)


def test_every_training_string_is_spoken_by_several_voices():
    train = [one for one, _ in plan(Sizes(train_strings=20, train_voices=3)) if one.condition == "train"]
    speakers = {}
    for one in train:
        speakers.setdefault(one.transcript, set()).add(one.speaker)
    assert [len(names) for names in speakers.values()] == [3] * 20
    assert len({one.id for one in train}) == len(train)


def test_the_plan_is_the_same_every_time():
    assert plan(Sizes()) == plan(Sizes())


def test_strings_differ_and_use_all_digits():
    strings = distinct_strings(random.Random(0), 200)  # noqa: S311 - no secret
    assert len(set(strings)) == 200
    assert {word for string in strings for word in string.split()} == set(DIGITS)
    assert {len(string.split()) for string in strings} == {2, 3, 4, 5, 6}
    assert normalizer_for("en").units(strings[0]) == [str(DIGITS.index(word)) for word in strings[0].split()]
