"""Pairs with codes in common are found, each once, with what was added of both."""

import numpy as np
import pyarrow as pa

from curation.dedup.search import COLUMNS, Search, Sketching


def rows(codes, names=None):
    count = len(codes)
    names = names or [f"u{number}" for number in range(count)]
    columns = [names, names, [1.0] * count, codes, [[1.0, 0.0]] * count, [f"text of {name}" for name in names]]
    return pa.table(columns, names=COLUMNS)


def drawn(seed, length=40):
    return np.random.default_rng(seed).integers(0, 500, length).tolist()


def test_copies_are_candidates_and_others_are_not():
    first, second = drawn(0), drawn(1)
    copy = [*first[:15], 999, *first[17:]]
    with Search(Sketching()) as search:
        search.add(rows([first, second, drawn(2)]))
        search.add(rows([first])[:0])  # of a row group in which nothing has codes
        search.add(rows([copy, first], ["copy", "again"]))
        found = {(one.place, two.place) for one, two in search.pairs()}
        assert {(0, 3), (3, 4)} <= found <= {(0, 3), (0, 4), (3, 4)}
        (pair,) = (pair for pair in search.pairs() if (pair[0].place, pair[1].place) == (0, 3))
        assert pair[0].codes.tolist() == first
        assert (pair[1].codes.tolist(), pair[1].text, pair[1].voice.tolist()) == (copy, "text of copy", [1.0, 0.0])
        assert [row["utterance"] for row in search.named("place", [3, 0])] == ["u0", "copy"]
        assert [row["place"] for row in search.named("utterance", ["again", "nobody"])] == [4]


def test_what_everybody_says_costs_no_more_pairs_than_utterances():
    with Search(Sketching()) as search:
        search.add(rows([drawn(0)] * 300))
        assert len([*search.pairs()]) == 2 * 300 - 3  # each with the one before it, and with the first
