"""Tokens to audio or text, as early as possible.

Text: bytes of a character may be spread over tokens; text is emitted once its characters are complete.
Audio: chunks of tokens go to the codec's `decode_stream`; the first one is small, so that sound starts early, and they
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
    """Look-ahead: tokens that must follow those that are decoded; None: as many as make the result exact."""


EXACT = Chunking()


def token_chunks(ids: Iterable[int], chunking: Chunking) -> Iterator[Ids]:
    """Group ids (codes of the semantic stream) as they come. Late tokens are joined to fewer, larger chunks."""
    size, waiting = chunking.first, list[int]()
    for number in ids:
        waiting.append(number)
        if len(waiting) >= size:
            yield np.array(waiting, np.int32)
            size, waiting = min(2 * size, max(chunking.largest, chunking.first)), []
    if waiting:
        yield np.array(waiting, np.int32)
