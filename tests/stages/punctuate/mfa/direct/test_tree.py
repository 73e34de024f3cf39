"""The decision tree: tables and questions, and trees that cannot be."""

import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile
from curation.stages.punctuate.mfa.direct.tree import Tree
from tests.support.checkpoints.tiny_mfa import integers, leaf, number, token, unsigned


def tree(body, *window):
    window = window or (3, 1)
    content = token("ContextDependency") + number(*window) + token("ToPdf") + body + token("EndContextDependency")
    return Tree(KaldiFile(b"\0B" + content, "tree"))


def question(key, members, yes, no):
    return token("SE") + number(key) + integers(members) + token("{") + yes + no + token("}")


def table(key, *branches):
    return token("TE") + number(key) + unsigned(len(branches)) + token("(") + b"".join(branches) + token(")")


def test_questions_about_all_places():
    """The left neighbour, the right one, the state."""
    asked = question(0, [5, 7], question(2, [1], leaf(1), leaf(2)), table(-1, leaf(3), leaf(4)))
    found = tree(table(1, token("NULL"), asked))
    assert found.density(5, 1, 1, 0) == found.density(7, 1, 1, 1) == 1
    assert found.density(5, 1, 2, 0) == 2
    assert [found.density(0, 1, 1, state) for state in (0, 1)] == [3, 4]
    for phone, state in ((0, 0), (2, 0), (1, 2), (1, -1)):  # no branch, or past the table
        with pytest.raises(KeyError):
            found.density(0, phone, 1, state)


def test_a_tree_without_neighbours():
    found = tree(table(0, leaf(3), leaf(4)), 1, 0)
    assert [found.density(9, phone, 9, 0) for phone in (0, 1)] == [3, 4]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (token("NULL"), "the tree is empty"),
        (question(0, [1], leaf(1), token("NULL")), "a question lacks an answer"),
        (token("TE") + number(0) + unsigned(1) + token("(") * 500, "expected CE or SE or TE or NULL"),
        ((token("TE") + number(0) + unsigned(1) + token("(")) * 500, "the tree is too deep"),
        (table(1, leaf(1))[:-2] + token("]"), r"expected \), found '\]'"),
    ],
)
def test_damage_is_named(body, message):
    with pytest.raises(ModelError, match=f"tree cannot be read: {message}"):
        tree(body)
