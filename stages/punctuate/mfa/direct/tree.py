"""Kaldi's decision tree: a phone in its context -> the densities of its states.

Source: Kaldi, src/tree/event-map.cc and context-dep.cc.
"""

from collections.abc import Mapping

from curation.stages.punctuate.mfa.direct.kaldi import KaldiFile

Event = Mapping[int, int]
"""Position in the window of phones -> phone; key -1 has the state (its "pdf class")."""
MAX_DEPTH = 400
"""Questions on a path; more only in damaged files."""


class Leaf:
    """One answer."""

    __slots__ = ("answer",)

    def __init__(self, answer: int) -> None:
        self.answer = answer

    def find(self, event: Event) -> int:  # noqa: ARG002 - the same for all
        """The answer."""
        return self.answer


class Split:
    """A question: is the phone at a position one of a set?"""

    __slots__ = ("key", "members", "no", "yes")

    def __init__(self, key: int, members: frozenset[int], yes: "Node", no: "Node") -> None:
        self.key, self.members, self.yes, self.no = key, members, yes, no

    def find(self, event: Event) -> int:
        """The answer of the branch. Raises KeyError where the event lacks the key."""
        return (self.yes if event[self.key] in self.members else self.no).find(event)


class Table:
    """One branch for each value at a position."""

    __slots__ = ("branches", "key")

    def __init__(self, key: int, branches: list["Node | None"]) -> None:
        self.key, self.branches = key, branches

    def find(self, event: Event) -> int:
        """The answer of the branch. Raises KeyError where there is none."""
        value = event[self.key]
        branch = self.branches[value] if 0 <= value < len(self.branches) else None
        if branch is None:
            raise KeyError(value)
        return branch.find(event)


Node = Leaf | Split | Table


class Tree:
    """The tree; `width` phones are its window, of which the phone itself is at `central`."""

    def __init__(self, file: KaldiFile) -> None:
        file.token("ContextDependency")
        self.width, self.central = file.integer(), file.integer()
        if (self.width, self.central) not in {(1, 0), (3, 1)}:
            file.fail(f"a window of {self.width} phones, {self.central} before, is not supported")
        file.token("ToPdf")
        root = _read(file, 0)
        if root is None:
            file.fail("the tree is empty")
        self._root = root
        file.token("EndContextDependency")

    def density(self, left: int, phone: int, right: int, state: int) -> int:
        """The density of a state of `phone` between two others (0: none). Raises KeyError where the tree has none."""
        window = (left, phone, right) if self.width == 3 else (phone,)
        return self._root.find({-1: state, **dict(enumerate(window))})


def _read(file: KaldiFile, depth: int) -> Node | None:
    if depth > MAX_DEPTH:
        file.fail("the tree is too deep")
    kind = file.token("CE", "SE", "TE", "NULL")
    if kind == "NULL":
        return None
    if kind == "CE":
        return Leaf(file.integer())
    key = file.integer()
    if kind == "TE":
        size = file.integer()
        file.token("(")
        branches = [_read(file, depth + 1) for _ in range(size)]
        file.token(")")
        return Table(key, branches)
    members = frozenset(file.integers().tolist())
    file.token("{")
    yes, no = _read(file, depth + 1), _read(file, depth + 1)
    file.token("}")
    if yes is None or no is None:
        file.fail("a question lacks an answer")
    return Split(key, members, yes, no)
