"""Streams of speech from semantic ids that arrive in chunks: how far each piece goes, and how the pieces join."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Protocol

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.tokenize.base import Ids

FADE = SAMPLE_RATE // 100
"""Samples over which a piece that was decoded with too little look-ahead goes over into the next one."""


class TokenStream(Protocol):
    """What a codec knows of one stream. All positions are tokens from its start."""

    look_ahead: int
    """Tokens that must follow a token for its speech to be exact."""
    token_samples: int

    def take(self, ids: Ids) -> None:
        """Append ids. Raises ValueError where one is out of range."""
        ...

    def speak(self, start: int, end: int) -> Wave:
        """Samples of the tokens from `start` to `end`, by all ids that are there."""
        ...

    def forget(self, end: int) -> None:
        """Drop what no token from `end` on depends on."""
        ...


def speech(
    stream: TokenStream, chunks: Iterable[Ids], look_ahead: int | None, first_look_ahead: int | None
) -> Iterator[Wave]:
    """Speech as far as the look-ahead allows, and the rest at the end.

    A token is decoded once `look_ahead` further tokens have arrived (None: as many as make it exact), those of the
    first piece once `first_look_ahead` have (None: `look_ahead`). A piece that is not exact goes over into the next
    one in a crossfade of 10 ms, by what its own decoding says of the next token, where that is there.
    """
    later = stream.look_ahead if look_ahead is None else look_ahead
    ahead = later if first_look_ahead is None else first_look_ahead
    arrived = spoken = 0
    tail = np.zeros(0, np.float32)
    for chunk in chain(chunks, [None]):  # at last, nothing follows
        if chunk is not None:
            stream.take(chunk)
            arrived += len(chunk)
        end = arrived if chunk is None else arrived - ahead
        if end <= spoken:
            continue
        more = int(end < arrived and ahead < stream.look_ahead)
        wave, size = stream.speak(spoken, end + more), (end - spoken) * stream.token_samples
        stream.forget(end)
        yield _faded(tail, wave[:size])
        tail, spoken, ahead = wave[size : size + FADE], end, later


def _faded(tail: Wave, wave: Wave) -> Wave:
    """The wave, whose beginning the tail goes over into."""
    if not len(tail):
        return wave
    rising = np.sin(np.linspace(0, np.pi / 2, len(tail) + 2, dtype=np.float32)[1:-1]) ** 2
    start = tail * (1 - rising) + wave[: len(tail)] * rising
    return np.concatenate([start, wave[len(tail) :]])
