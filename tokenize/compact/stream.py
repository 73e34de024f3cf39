"""Streaming decode of the compact codec, equal to decoding at once.

The context of a sample is finite except for two values, which are carried along: the phase of the pulses, and the
position in the noise. The network reaches 18 tokens each way (six convolutions over 7), the vocoder 16 frames (8
tokens). So a window of tokens is decoded again for each chunk, and its edges are discarded:

    tokens  |--18--|--8--|== spoken now ==|--8--|--18--|
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np

from curation.audio.wave import Wave
from curation.tokenize.base import CodecTokens, Ids
from curation.tokenize.compact.features import HOP, Floats
from curation.tokenize.compact.vocoder import REACH, SEED, Doubles, pulses, sampled_f0, shape

FRAMES = 2
"""Frames to a token."""
VOCODER_REACH = -(-REACH // FRAMES)


class FrameDecoder(Protocol):
    """The part of the codec that a stream uses."""

    @property
    def reach(self) -> int:
        """Tokens before and after its own that a frame depends on."""
        ...

    def frames_of(self, item: CodecTokens) -> tuple[Floats, Floats, Floats]:
        """log-mel (2T, NUM_MELS), log f0, voicing (2T,) of T tokens."""
        ...


class CompactStream:
    """The state of one stream. All positions are tokens from its start."""

    def __init__(self, codec: FrameDecoder, global_: Ids, look_ahead: int | None) -> None:
        self.codec, self.global_ = codec, global_
        self.network_reach = codec.reach
        self.reach = self.network_reach + VOCODER_REACH
        self.look_ahead = self.reach if look_ahead is None else look_ahead
        self.first, self.held = 0, np.zeros(0, np.int32)
        self.voiced_from, self.phase = 0, 0.0
        self.random, self.noise = np.random.default_rng(SEED), np.zeros(0, np.float64)

    def decode(self, chunks: Iterable[Ids]) -> Iterator[Wave]:
        """Yield speech as far as the look-ahead allows, and the rest at the end."""
        spoken = 0
        for chunk in chunks:
            self.held = np.concatenate([self.held, np.asarray(chunk, np.int32)])
            ready = self.first + len(self.held) - self.look_ahead
            if ready > spoken:
                yield self._speak(spoken, ready)
                spoken = ready
        if self.first + len(self.held) > spoken:
            yield self._speak(spoken, self.first + len(self.held))

    def _speak(self, start: int, end: int) -> Wave:
        """Samples of the tokens from `start` to `end`; then drops what no later token depends on."""
        window = self.held[: end + self.reach - self.first]
        frames = self.codec.frames_of(CodecTokens(window, self.global_))
        cut = FRAMES * (self.voiced_from - self.first)
        mel, log_f0, voicing = (values[cut:] for values in frames)
        pulse, phase = self._pulses(log_f0)
        wave = shape(mel, voicing, pulse, self._noise(len(pulse)))
        size = FRAMES * HOP
        out = wave[(start - self.voiced_from) * size : (end - self.voiced_from) * size].copy()
        self._forget(max(end - VOCODER_REACH, 0), phase)
        return out

    def _pulses(self, log_f0: np.ndarray) -> tuple[Doubles, Doubles]:
        """Pulses and phase of the window. Its first half frame lacks the pitch before it, and lies within the reach."""
        f0 = sampled_f0(log_f0)
        blank = HOP // 2 if self.voiced_from else 0
        pulse, phase = pulses(f0[blank:], self.phase)
        return np.concatenate([np.zeros(blank), pulse]), np.concatenate([np.zeros(blank), phase])

    def _noise(self, count: int) -> Doubles:
        more = self.random.standard_normal(max(count - len(self.noise), 0))
        self.noise = np.concatenate([self.noise, more])
        return self.noise[:count]

    def _forget(self, voiced_from: int, phase: Doubles) -> None:
        """Move the start of the window of the vocoder to `voiced_from`, that of the network before it."""
        moved = (voiced_from - self.voiced_from) * FRAMES * HOP
        if not moved:
            return
        self.phase = float(phase[moved + HOP // 2 - 1])
        self.noise, self.voiced_from = self.noise[moved:], voiced_from
        first = max(voiced_from - self.network_reach, 0)
        self.held, self.first = self.held[first - self.first :], first
