"""Streaming decode of the compact codec, equal to decoding at once.

The context of a sample is finite except for two values, which are carried along: the phase of the pulses, and the
position in the noise. The network reaches 18 tokens each way (six convolutions over 7), the vocoder 16 frames (8
tokens), which takes nearly all of the time. So the network reads a window of tokens again for each chunk, the vocoder
only what is near the chunk; their edges are discarded:

    network  |--18--|--8--|== spoken now ==|--8--|--18--|
    vocoder         |--8--|== spoken now ==|--8--|
"""

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
    """The state of one stream (`curation.tokenize.speech`). All positions are tokens from its start."""

    token_samples = FRAMES * HOP

    def __init__(self, codec: FrameDecoder, global_: Ids) -> None:
        self.codec, self.global_ = codec, global_
        self.network_reach = codec.reach
        self.look_ahead = self.network_reach + VOCODER_REACH
        self.first, self.held = 0, np.zeros(0, np.int32)
        self.voiced_from, self.phase = 0, 0.0
        self.phases: Doubles = np.zeros(0)
        """Of the samples that were last made, from `voiced_from` on."""
        self.random, self.noise = np.random.default_rng(SEED), np.zeros(0, np.float64)

    def take(self, ids: Ids) -> None:
        """Append ids."""
        self.held = np.concatenate([self.held, np.asarray(ids, np.int32)])

    def speak(self, start: int, end: int) -> Wave:
        """Samples of the tokens from `start` to `end`, by all ids that are there. Raises ValueError where one is out of
        range.
        """
        window = self.held[: end + self.look_ahead - self.first]
        frames = self.codec.frames_of(CodecTokens(window, self.global_))
        near = slice(FRAMES * (self.voiced_from - self.first), FRAMES * (end + VOCODER_REACH - self.first))
        mel, log_f0, voicing = (values[near] for values in frames)
        pulse, self.phases = self._pulses(log_f0)
        wave = shape(mel, voicing, pulse, self._noise(len(pulse)))
        first, last = ((place - self.voiced_from) * self.token_samples for place in (start, end))
        return wave[first:last].copy()

    def forget(self, end: int) -> None:
        """Drop what no token from `end` on depends on."""
        voiced_from = max(end - VOCODER_REACH, self.voiced_from)
        moved = (voiced_from - self.voiced_from) * self.token_samples
        if not moved:
            return
        self.phase = float(self.phases[moved + HOP // 2 - 1])
        self.noise, self.voiced_from = self.noise[moved:], voiced_from
        first = max(voiced_from - self.network_reach, 0)
        self.held, self.first = self.held[first - self.first :], first

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
