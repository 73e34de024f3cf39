"""Tokens to audio or text, as early as possible.

Text: bytes of a character may be spread over tokens; text is emitted once its characters are complete.
Audio: chunks of tokens go to the codec's `decode_stream`; the first one is small, so that sound starts early, and they
double up to a limit, because each costs some context again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from curation.core.errors import ConfigError
from curation.tokenize.base import CodecTokenizer, Ids
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
    """How many semantic tokens (20 ms each) the pieces of streamed speech have, and how many must follow them."""

    first: int = 25
    largest: int = 100
    """Pieces double up to so many."""
    look_ahead: int | None = None
    """Tokens that must follow a piece; None: as many as make it exact."""
    first_look_ahead: int | None = None
    """The same for the first piece; None: as many as the codec advises, but no more than `look_ahead`."""

    def __post_init__(self) -> None:
        """Check the ranges. Raises ConfigError: with less than nothing behind them, tokens would be lost."""
        if min(self.first, self.largest) < 1 or min(self.look_ahead or 0, self.first_look_ahead or 0) < 0:
            msg = f"{self}: first and largest must be 1 or more, look-aheads 0 or more"
            raise ConfigError(msg)

    def look_aheads(self, codec: CodecTokenizer) -> tuple[int, int]:
        """Look-ahead of all pieces but the first, and of the first, with this codec."""
        later = codec.look_ahead if self.look_ahead is None else self.look_ahead
        return later, min(codec.first_look_ahead, later) if self.first_look_ahead is None else self.first_look_ahead


DEFAULT = Chunking()


def token_chunks(ids: Iterable[int], chunking: Chunking, look_aheads: tuple[int, int] = (0, 0)) -> Iterator[Ids]:
    """Group ids as they come, so that each group completes the next piece and its look-ahead (`Chunking.look_aheads`).

    Late tokens are joined to fewer, larger pieces.
    """
    later, ahead = look_aheads
    size, waiting = chunking.first, list[int]()
    wanted = size + ahead
    for number in ids:
        waiting.append(number)
        if len(waiting) >= wanted:
            yield np.array(waiting, np.int32)
            size, waiting = min(2 * size, max(chunking.largest, chunking.first)), []
            wanted, ahead = max(size + later - ahead, 1), later
    if waiting:
        yield np.array(waiting, np.int32)
