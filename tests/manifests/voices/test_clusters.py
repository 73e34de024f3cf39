"""Voices across recordings: what is linked and what never is, and that an append changes no voice."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.voices.clusters import Speaker, Voices

LIKE = np.eye(6)
"""Embeddings of six people, as far apart as can be."""


def speaker(recording, label, person, name="", noise=0.0, seed=0):
    away = np.random.default_rng([seed, *recording.encode(), *label.encode()]).normal(size=6)
    return Speaker(recording, label, name, LIKE[person] + noise * away / np.linalg.norm(away))


@st.composite
def corpora(draw):
    """Recordings of some people each; one of a single person may name them."""
    found = []
    for number in range(draw(st.integers(1, 8))):
        people = draw(st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True))
        named = len(people) == 1 and draw(st.booleans())
        for place, person in enumerate(people):
            name = f"person {person}" if named else ""
            found.append((speaker(f"r{number}", name or f"r{number}-S{place}", person, name, 0.2), person))
    return found


def partition(numbers):
    groups = {}
    for key, number in numbers.items():
        groups.setdefault(number, set()).add(key)
    return sorted(map(sorted, groups.values()))


def blocks_of(every, size):
    """Whole recordings, at least `size` speakers together."""
    block = []
    for one in every:
        if len(block) >= size and one.recording != block[-1].recording:
            yield block
            block = []
        block.append(one)
    yield block


@given(corpora(), st.integers(1, 5))
def test_people_are_found_whatever_the_blocks(corpus, size):
    voices, found = Voices(), {}
    for block in blocks_of([one for one, _ in corpus], size):
        found |= voices.assign(block)
    assert partition(found) == partition({one.key: person for one, person in corpus})
    assert sorted(set(found.values())) == list(range(1, voices.count + 1))


@given(corpora(), st.randoms())
def test_the_order_in_a_block_does_not_count(corpus, random):
    every = [one for one, _ in corpus]
    assert Voices().assign(random.sample(every, len(every))) == Voices().assign(every)


noisy = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["S0", "S1", "S2"]), st.integers(0, 5), st.floats(0, 2)),
    max_size=12,
    unique_by=lambda item: item[:2],
)


@given(noisy, st.floats(0, 2), st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["Ann", "Bo"])))
def test_what_is_certain_holds_for_any_embeddings(items, threshold, names):
    every = []
    for recording, label, person, noise in sorted(items):
        alone = [item[0] for item in items].count(recording) == 1
        name = names.get(recording, "") if alone else ""
        every.append(speaker(recording, name or label, person, name, noise))
    first, second = every[: len(every) // 2], every[len(every) // 2 :]
    second = [one for one in second if one.recording not in {other.recording for other in first}]
    voices = Voices()
    before = voices.assign(first, threshold)
    found = before | voices.assign(second, threshold)
    assert {key: found[key] for key in before} == before
    for one in [*first, *second]:
        for other in [*first, *second]:
            same = found[one.key] == found[other.key]
            if one.recording == other.recording:
                assert same == (one is other)
            if one.name and other.name:
                assert same == (one.name == other.name)


def test_two_of_one_recording_stay_apart_among_a_million_pairs():
    near = np.array([0.7, np.sqrt(1 - 0.7**2)])
    every = [Speaker(f"a{n}", "S0", "", np.array([1.0, 0.0])) for n in range(1000)]
    every += [Speaker(f"b{n}" if n else "a0", "S1", "", near) for n in range(1000)]
    found = Voices().assign(every, 1.4)
    assert found["a0", "S0"] != found["a0", "S1"]


def test_who_was_heard_before_in_a_recording_is_not_the_one_that_is_heard_now():
    voices = Voices()
    found = voices.assign([speaker("a", "S0", 0)])
    assert voices.assign([speaker("b", "S0", 0)]) == {("b", "S0"): found["a", "S0"]}
    again = voices.assign([speaker("a", "S1", 0)], taken={"a": {found["a", "S0"]}})
    assert again == {("a", "S1"): 2}


def test_numbers_of_voices_that_are_gone_are_not_given_again():
    voices = Voices(count=7)
    voices.add(speaker("a", "S0", 0), 3)
    assert voices.assign([speaker("b", "S0", 0), speaker("b", "S1", 1)]) == {("b", "S0"): 3, ("b", "S1"): 8}


def test_a_voice_without_an_embedding_is_nobody_elses():
    silent = [Speaker(name, "S0", "", np.zeros(6)) for name in "ab"]
    assert set(Voices().assign([*silent, speaker("c", "S0", 0)]).values()) == {1, 2, 3}


def test_many_voices_are_compared_in_parts(monkeypatch):
    monkeypatch.setattr("curation.manifests.voices.clusters.TILE", 2)
    voices = Voices()
    first = voices.assign([speaker(f"a{person}", "S0", person) for person in range(6)])
    second = voices.assign([speaker(f"b{person}", "S0", person, noise=0.3) for person in range(6)])
    assert [second[f"b{person}", "S0"] for person in range(6)] == [first[f"a{person}", "S0"] for person in range(6)]
