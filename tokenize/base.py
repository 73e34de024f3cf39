"""The interface of speech tokenizers, official and compact ones.

Waves are mono float32 at 16 kHz, shape (samples,). Ids are int32, shape (tokens,). The ids of a clip never depend on
the rest of the batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from curation.audio.wave import Wave

Ids = npt.NDArray[np.int32]
Vectors = npt.NDArray[np.float32]

META = "meta"
"""Device of a tokenizer without weights, as of torch's tensors without data: it has name, sizes and fingerprint."""


@dataclass(slots=True)
class CodecTokens:
    """A codec's tokens of a clip: `semantic` (50 a second) for the content, `global_` (32 a clip) for the speaker."""

    semantic: Ids
    global_: Ids


class ContentTokenizer(Protocol):
    """The ASR-side stream (the GLM-4-Voice tokenizer in the paper): 12.5 tokens a second."""

    name: str
    fingerprint: str
    """Hex digest of the kind of tokenizer, its settings and its weights; shards carry it."""
    codebook_size: int

    def num_tokens(self, num_samples: int) -> int:
        """Number of ids of a clip of this length."""
        ...

    def encode(self, waves: Sequence[Wave]) -> list[Ids]:
        """Ids for each clip."""
        ...

    def code_vectors(self) -> Vectors:
        """A vector of each id, (codebook_size, any size): similar-sounding codes are near each other."""
        ...


class CodecTokenizer(Protocol):
    """The synthesis-side streams (BiCodec in the paper): 50 semantic tokens a second and 32 global ones a clip."""

    name: str
    fingerprint: str
    semantic_size: int
    global_size: int
    num_global: int
    look_ahead: int
    """Tokens that must follow a token for its speech to be exact."""
    first_look_ahead: int
    """As many as the first piece of a stream should wait for: fewer where the error was measured."""

    def num_semantic(self, num_samples: int) -> int:
        """Number of semantic ids of a clip of this length."""
        ...

    def encode(self, waves: Sequence[Wave]) -> list[CodecTokens]:
        """Tokens for each clip."""
        ...

    def voices(self, waves: Sequence[Wave]) -> list[Ids]:
        """The global ids alone of each clip, equal to those of `encode` and much cheaper."""
        ...

    def code_vectors(self) -> tuple[Vectors, Vectors]:
        """Vectors of each semantic id (semantic_size, any size) and each global id (global_size, any size)."""
        ...

    def decode(self, tokens: Sequence[CodecTokens]) -> list[Wave]:
        """Speech from tokens: a wave for each item."""
        ...

    def decode_stream(
        self,
        chunks: Iterable[Ids],
        global_: Ids,
        look_ahead: int | None = None,
        first_look_ahead: int | None = None,
    ) -> Iterator[Wave]:
        """Speech from semantic ids that arrive in chunks, cut and joined as `curation.tokenize.speech` says; with the
        whole look-ahead (None), the pieces join to what `decode` gives.
        """
        ...
