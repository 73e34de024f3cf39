"""Pairs with codes or words in common are found, each once, with what was added of both."""

import numpy as np
import pyarrow as pa

from curation.dedup.search import COLUMNS, Search, Sketching


def rows(codes, names=None, words=None, voices=None):
    count = len(codes)
    names = names or [f"u{number}" for number in range(count)]
    columns = {
        "id": names,
        "utterance": names,
        "seconds": [1.0] * count,
        "codes": codes,
        "voice": voices or [[1.0, 0.0]] * count,
        "text": [f"text of {name}" for name in names],
        "words": pa.array(words or [[]] * count, pa.list_(pa.int32())),
        "times": pa.array([[0.5, 0.75] * len(found) for found in words or [[]] * count], pa.list_(pa.float32())),
    }
    return pa.table([columns[name] for name in COLUMNS], names=COLUMNS)


def found(search, *voice):
    return {(one.place, two.place) for one, two in search.pairs(*voice)}


def drawn(seed, length=40):
    return np.random.default_rng(seed).integers(0, 500, length).tolist()


def test_copies_are_candidates_and_others_are_not():
    first, second = drawn(0), drawn(1)
    copy = [*first[:15], 999, *first[17:]]
    with Search(Sketching()) as search:
        search.add(rows([first, second, drawn(2)]))
        search.add(rows([first])[:0])  # of a row group in which nothing has codes
        search.add(rows([copy, first], ["copy", "again"]))
        assert {(0, 3), (3, 4)} <= found(search) <= {(0, 3), (0, 4), (3, 4)}
        (pair,) = (pair for pair in search.pairs() if (pair[0].place, pair[1].place) == (0, 3))
        assert pair[0].codes.tolist() == first
        assert (pair[1].codes.tolist(), pair[1].text, pair[1].voice.tolist()) == (copy, "text of copy", [1.0, 0.0])
        assert [row["utterance"] for row in search.named("place", [3, 0])] == ["u0", "copy"]
        assert [row["place"] for row in search.named("utterance", ["again", "nobody"])] == [4]


def test_words_in_common_make_candidates_where_there_are_enough():
    texts = [[1, 2, 3, 4, 5, 6], [1, 2, 3], [9, 2, 3, 4, 5], [1, 2, 3]]
    with Search(Sketching()) as search:
        search.add(rows([drawn(number) for number in range(4)], words=texts))
        ((one, two),) = search.pairs()
    assert (one.place, one.words.tolist(), two.place, two.words.tolist()) == (0, texts[0], 2, texts[2])
    assert two.times.tolist() == [[0.5, 0.75]] * 5


def test_candidates_with_other_voices_are_left_out_and_those_without_stay():
    voices = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [], None]
    with Search(Sketching()) as search:
        search.add(rows([drawn(0)] * 5, voices=voices))
        every = found(search, -1.0)
        assert found(search, 0.5) == every - {(0, 2)}
        assert found(search, 0.9) == every - {pair for pair in every if pair[1] < 3}


def test_of_a_sentence_of_many_voices_each_meets_those_like_it():
    draw = np.random.default_rng(0)
    voices = draw.standard_normal((40, 8))
    copies = voices + 0.05 * draw.standard_normal((40, 8))
    every = [(voice / np.linalg.norm(voice)).tolist() for voice in (*voices, *copies)]
    with Search(Sketching()) as search:
        search.add(rows([drawn(number) for number in range(80)], words=[[*range(12)]] * 80, voices=every))
        assert {(number, number + 40) for number in range(40)} <= found(search)


def test_what_everybody_says_costs_no_more_pairs_than_utterances():
    with Search(Sketching()) as search:
        search.add(rows([drawn(0)] * 300))
        assert len(found(search)) == 2 * 300 - 3  # each with the one before it, and with the first
