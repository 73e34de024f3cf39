"""What other writings of the same speech have between the words: the marks of ASR systems, as evidence. Pure text."""

from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

from curation.text.punctuation import MARKS, Pieces, split


def mark_shares(text: str, writings: Sequence[str]) -> list[float | None]:
    """After each word of `split(text)` but the last: the share of the writings that have a mark there, 0..1.

    A writing without any mark is no evidence, nor is one in which neither neighbour of the place is found. None: fewer
    than two tell, for the text is one of them, and no evidence for itself.
    """
    words = split(text).words
    votes = [_votes(words, pieces) for pieces in map(split, writings) if _has_mark(pieces)]
    shares: list[float | None] = []
    for index in range(len(words) - 1):
        cast = [vote[index] for vote in votes if vote[index] is not None]
        shares.append(sum(map(bool, cast)) / len(cast) if len(cast) > 1 else None)
    return shares


def _has_mark(pieces: Pieces) -> bool:
    return any(char in MARKS for gap in pieces.gaps for char in gap)


def _votes(words: Sequence[str], other: Pieces) -> list[bool | None]:
    """Whether another writing has a mark after each word; None where it has not the place."""
    places = _places(words, other.words)
    votes: list[bool | None] = []
    for index in range(len(words)):
        gap = places[index] + 1 if index in places else places.get(index + 1)
        votes.append(None if gap is None else any(char in MARKS for char in other.gaps[gap]))
    return votes


def _places(words: Sequence[str], others: Sequence[str]) -> dict[int, int]:
    """Index of a word -> index of the same, or of the one in its place, in the other writing."""
    steps = Levenshtein.opcodes([word.casefold() for word in words], [word.casefold() for word in others])
    return {
        step.src_start + offset: step.dest_start + offset
        for step in steps
        if step.tag in {"equal", "replace"}
        for offset in range(step.src_end - step.src_start)
    }
