"""Tokens to what a listener or reader gets, as early as it can be given.

Text: bytes of a character may be spread over tokens; nothing is given out before its characters are whole.
Audio: chunks of tokens go to the codec's `decode_stream`; the first one is small, so that sound begins early, and they
double up to a limit, because each costs its context again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from curation.tokenize.base import Ids
from curation.tokenize.vocabulary import Vocabulary

UNFINISHED = "\ufffd"


def text_pieces(ids: Iterable[int], vocabulary: Vocabulary) -> Iterator[str]:
    """Yield text as its ids come; the pieces join to `vocabulary.text_of` of all ids."""
    waiting: list[int] = []
    for number in ids:
        waiting.append(number)
        text = vocabulary.text_of(np.array(waiting, np.int32))
        if text and not text.endswith(UNFINISHED):
            yield text
            waiting = []
    if waiting and (text := vocabulary.text_of(np.array(waiting, np.int32))):
        yield text


@dataclass(frozen=True, slots=True)
class Chunking:
    """How many semantic tokens (20 ms each) a streamed chunk takes."""

    first: int = 25
    largest: int = 100
    look_ahead: int | None = None
    """Tokens that must have come after those that are spoken; None: as many as make the result exact."""


EXACT = Chunking()


def token_chunks(ids: Iterable[int], chunking: Chunking) -> Iterator[Ids]:
    """Group ids (codes of the semantic stream) as they come. What is decoded late is joined to fewer, larger chunks."""
    size, waiting = chunking.first, list[int]()
    for number in ids:
        waiting.append(number)
        if len(waiting) >= size:
            yield np.array(waiting, np.int32)
            size, waiting = min(2 * size, max(chunking.largest, chunking.first)), []
    if waiting:
        yield np.array(waiting, np.int32)
