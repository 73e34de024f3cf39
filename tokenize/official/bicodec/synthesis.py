"""Speech of BiCodec from windows of tokens: whole clips, and pieces of streams, which clients share batches for.

A sample depends on 67 tokens before and after its own: 57 by the prenet, 10 by the wave generator, which takes nineteen
twentieths of the work. So the prenet reads a window anew for each piece of a stream, and the generator only what is
near the piece:

    prenet     |--57--|-10-|== spoken now ==|-10-|--57--|
    generator         |-10-|== spoken now ==|-10-|
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from curation.audio.wave import Wave
from curation.tokenize.base import Ids
from curation.tokenize.official.batching import length_buckets, pad_stack
from curation.tokenize.official.bicodec.generator import reach
from curation.tokenize.official.bicodec.model import BiCodec
from curation.tokenize.official.checkpoints import exact_float32
from curation.tokenize.official.together import Together

GENERATOR_LOAD = 4
"""Memory of the wave generator for a second of speech, in multiples of the encoders'."""


@dataclass(frozen=True, slots=True)
class Window:
    """Semantic ids, of which those from `start` to `end` are spoken and the others are their context; and the d-vector
    (out_dim,) of the speaker.
    """

    ids: Ids
    start: int
    end: int
    vector: Tensor


class Synthesis:
    """Speech of windows, by the prenet and the generator of a model. Windows of several threads share batches of at
    most `batch_samples` samples of what the encoders would take.
    """

    def __init__(self, model: BiCodec, batch_samples: int) -> None:
        self._model = model
        self._frames = math.prod(model.prenet.downsample.ratios)
        """Of a token, between the two."""
        self.token_samples: int = model.decoder.rate * self._frames
        self.reach = reach([model.prenet, model.decoder], self.token_samples)
        """Tokens before and after its own that a sample depends on."""
        self._near = reach([model.decoder], model.decoder.rate)
        """Frames before and after its own that a sample depends on."""
        self._most = batch_samples // GENERATOR_LOAD // model.decoder.rate
        self._together = Together(self._speak, self._load, self._most)

    def __call__(self, windows: Sequence[Window]) -> list[Wave]:
        """Samples (token_samples · spoken tokens,) float32 of each window; the same, to rounding, in any batch."""
        return self._together(windows)

    def batch(self, windows: Sequence[Window]) -> list[Wave]:
        """The same in one batch, whatever its size; no window is empty."""
        vectors = torch.stack([window.vector for window in windows])
        with exact_float32():
            frames, _ = self.prenet([window.ids for window in windows], vectors)
            spans = [self._span(window) for window in windows]
            rows = [row[:, low:high] for row, (low, high) in zip(frames + vectors[..., None], spans, strict=True)]
            near, counts = pad_stack(rows)
            speech: Tensor = self._model.decoder(near, self._lengths(counts.tolist()))
        waves = []
        for row, window, (low, _) in zip(speech.cpu().numpy(), windows, spans, strict=True):
            first = (window.start * self._frames - low) * self._model.decoder.rate
            waves.append(row[first : first + (window.end - window.start) * self.token_samples].copy())
        return waves

    def prenet(self, semantics: Sequence[Ids], vectors: Tensor) -> tuple[Tensor, Tensor | None]:
        """Decode semantic ids and d-vectors to frames (batch, channels, time), before the d-vector is added, and the
        valid frames of each row (None: all).
        """
        ids, counts = pad_stack([torch.from_numpy(item).long() for item in semantics])
        codes = self._model.quantizer.vectors(ids.to(vectors.device))
        frames: tuple[Tensor, Tensor | None] = self._model.prenet(codes, vectors, self._lengths(counts.tolist()))
        return frames

    def _speak(self, windows: list[Window]) -> list[Wave]:
        waves = [np.zeros(0, np.float32)] * len(windows)
        for bucket in length_buckets([self._load(window) for window in windows], self._most):
            if self._load(windows[bucket[0]]):  # the longest of the bucket
                for index, wave in zip(bucket, self.batch([windows[index] for index in bucket]), strict=True):
                    waves[index] = wave
        return waves

    def _span(self, window: Window) -> tuple[int, int]:
        """Frames of the window that its spoken tokens depend on."""
        before, after = self._near
        last = len(window.ids) * self._frames
        return max(window.start * self._frames - before, 0), min(window.end * self._frames + after, last)

    def _load(self, window: Window) -> int:
        low, high = self._span(window)
        return high - low

    def _lengths(self, counts: list[int]) -> Tensor | None:
        """Valid lengths of rows for the modules; None where all are equal, known without asking the device."""
        if min(counts) == max(counts):
            return None
        return torch.tensor(counts, device=self._model.quantizer.codebook.weight.device)


class BiCodecStream:
    """The state of one stream (`curation.tokenize.speech`): the ids that later tokens depend on."""

    def __init__(self, synthesis: Synthesis, vector: Tensor, semantic_size: int) -> None:
        self._synthesis, self._vector, self._size = synthesis, vector, semantic_size
        self._before, self.look_ahead = synthesis.reach
        self.token_samples = synthesis.token_samples
        self._first, self._held = 0, np.zeros(0, np.int32)

    def take(self, ids: Ids) -> None:
        """Append ids. Raises ValueError where one is out of range."""
        self._held = np.concatenate([self._held, within(ids, self._size, "semantic")])

    def speak(self, start: int, end: int) -> Wave:
        """Samples of the tokens from `start` to `end`, by all ids that are there."""
        low = max(start - self._before, self._first)
        ids = self._held[low - self._first : end + self.look_ahead - self._first]
        return self._synthesis([Window(ids, start - low, end - low, self._vector)])[0]

    def forget(self, end: int) -> None:
        """Drop what no token from `end` on depends on."""
        first = max(end - self._before, self._first)
        self._held, self._first = self._held[first - self._first :], first


def within(ids: Ids, size: int, kind: str) -> Ids:
    """Ids as int32. Raises ValueError where they are not of shape (tokens,), or one is out of range."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or (len(ids) and not 0 <= ids.min() <= ids.max() < size):
        msg = f"bicodec: {kind} ids must be of shape (tokens,) and within 0..{size - 1}"
        raise ValueError(msg)
    return ids.astype(np.int32)
