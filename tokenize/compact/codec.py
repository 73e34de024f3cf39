"""The compact codec: 50 semantic tokens a second (8192 codes as shipped) and 32 global ones a clip (256), and back.

Replaces BiCodec, with the same counts; its ids have other meanings. Design and training data:
tokenize/compact/network.py (network), tokenize/compact/speaker.py (globals), tokenize/compact/vocoder.py,
tokenize/fit/__main__.py.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curation.audio.wave import Wave
from curation.core.errors import DataError
from curation.models.threads import cpu_threads
from curation.tokenize.base import CodecTokens, Ids, Vectors
from curation.tokenize.compact.features import Floats, WhisperStates, log_mel, pitch, whisper_states
from curation.tokenize.compact.speaker import GLOBAL_SIZE, NUM_GLOBAL, SpeakerSpace, Voice, describe
from curation.tokenize.compact.stream import VOCODER_REACH, CompactStream
from curation.tokenize.compact.vocoder import vocode
from curation.tokenize.compact.weights import fingerprint, load_weights
from curation.tokenize.speech import speech

if TYPE_CHECKING:
    from curation.tokenize.compact.network import CodecNet

FILE = "compact_codec.safetensors"
TOKEN_SAMPLES, FIRST_SAMPLES = 320, 400
NETWORK = "network."
LEVELS_TENSOR = "levels"
FIRST_LOOK_AHEAD = 20
"""Of a stream's first piece. What it costs: docs/results/2026-11-27-first-sound.md."""


def num_semantic(num_samples: int) -> int:
    """floor((samples - 400) / 320) + 1 as in BiCodec; a clip shorter than 400 samples counts as 400."""
    return (max(num_samples, FIRST_SAMPLES) - FIRST_SAMPLES) // TOKEN_SAMPLES + 1


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """The codec's input features of a clip of T tokens."""

    states: Floats
    """Whisper states, (T, 384)."""
    mel: Floats
    """(2T, NUM_MELS)."""
    log_f0: Floats
    voiced: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, wave: Wave, whisper: WhisperStates) -> "ClipFeatures":
        """Features of one clip, from that clip only."""
        count = num_semantic(len(wave))
        return cls(whisper(wave, count), log_mel(wave, 2 * count), *pitch(wave, 2 * count))


class CompactCodec:
    """Satisfies `CodecTokenizer`. `folder` holds fitted weights; None: the shipped ones.

    Raises DataError where the file is missing or damaged, ModelError where Whisper tiny.en is not available.
    """

    name = "compact-codec"
    global_size = GLOBAL_SIZE
    num_global = NUM_GLOBAL

    def __init__(self, folder: Path | None = None) -> None:
        tensors = load_weights(folder, FILE)
        self.fingerprint = fingerprint(self.name, {"whisper": "tiny.en", "vocoder": 1, "speaker": 2}, tensors)
        self.space = SpeakerSpace(*(tensors[f"speaker.{part}"].astype(np.float32) for part in ("centre", "scale")))
        self.states_mean = tensors["states.mean"].astype(np.float32)
        self.states_spread = tensors["states.spread"].astype(np.float32)
        self.network = _network(tensors)
        self.semantic_size = int(self.network.quantizer.levels.prod())
        self.look_ahead = self.reach + VOCODER_REACH
        self.first_look_ahead = min(FIRST_LOOK_AHEAD, self.look_ahead)

    def num_semantic(self, num_samples: int) -> int:
        """See the function of this name."""
        return num_semantic(num_samples)

    def encode(self, waves: Sequence[Wave]) -> list[CodecTokens]:
        """Tokens for each clip, computed one by one."""
        whisper = whisper_states()  # not in the constructor: decoding does without it
        return [self._encode(ClipFeatures.of(wave, whisper)) for wave in waves]

    def voices(self, waves: Sequence[Wave]) -> list[Ids]:
        """Global ids of each clip, as `encode` gives them; without Whisper."""
        counts = [2 * num_semantic(len(wave)) for wave in waves]
        described = [describe(log_mel(wave, n), *pitch(wave, n)) for wave, n in zip(waves, counts, strict=True)]
        return [self.space.ids(values) for values in described]

    def code_vectors(self) -> tuple[Vectors, Vectors]:
        """Quantised values of the semantic codes (codes, channels), deviations of the global ones (256, 1)."""
        import torch

        semantic = self.network.quantizer.values(torch.arange(self.semantic_size)).numpy()
        return semantic.astype(np.float32), self.space.standard(np.arange(self.global_size, dtype=np.int32))[:, None]

    def decode(self, tokens: Sequence[CodecTokens]) -> list[Wave]:
        """Speech: 320 samples per semantic token. Raises ValueError where an id is out of range."""
        return [self._decode(item) for item in tokens]

    def decode_stream(
        self,
        chunks: Iterable[Ids],
        global_: Ids,
        look_ahead: int | None = None,
        first_look_ahead: int | None = None,
    ) -> Iterator[Wave]:
        """Speech of semantic ids that arrive in chunks (`curation.tokenize.speech`). Memory does not grow."""
        return speech(CompactStream(self, global_), chunks, look_ahead, first_look_ahead)

    @property
    def reach(self) -> int:
        """Tokens before and after its own that a decoded frame depends on."""
        return self.network.reach

    def frames_of(self, item: CodecTokens) -> tuple[Floats, Floats, Floats]:
        """log-mel (2T, NUM_MELS), log f0, voicing (2T,) of T tokens. Raises ValueError where an id is out of range."""
        import torch

        self._check(item)
        with cpu_threads(1), torch.inference_mode():
            code = self.network.quantizer.values(torch.from_numpy(item.semantic.astype(np.int64)))[None]
            speaker = torch.from_numpy(self.space.standard(item.global_))[None]
            rows = self.network.decode(code, speaker)[0][0].numpy()
        mel, log_f0, voicing = Voice.of(self.space.values(item.global_)).restore(rows)
        return mel, log_f0, np.asarray(1 / (1 + np.exp(-voicing)), np.float32)

    def _encode(self, clip: ClipFeatures) -> CodecTokens:
        import torch

        global_ = self.space.ids(describe(clip.mel, clip.log_f0, clip.voiced))
        rows = Voice.of(self.space.values(global_)).normalise(clip.mel, clip.log_f0, clip.voiced)
        states = (clip.states - self.states_mean) / self.states_spread
        with cpu_threads(1), torch.inference_mode():
            code = self.network.encode(torch.from_numpy(states)[None], torch.from_numpy(rows)[None])
            ids = self.network.quantizer.ids(code)[0]
        return CodecTokens(ids.numpy().astype(np.int32), global_)

    def _decode(self, item: CodecTokens) -> Wave:
        if not len(item.semantic):
            self._check(item)
            return np.zeros(0, np.float32)
        return vocode(*self.frames_of(item))

    def _check(self, item: CodecTokens) -> None:
        def outside(ids: Ids, size: int) -> bool:
            return bool(len(ids)) and not 0 <= int(ids.min()) <= int(ids.max()) < size

        if (
            len(item.global_) != NUM_GLOBAL
            or outside(item.global_, GLOBAL_SIZE)
            or outside(item.semantic, self.semantic_size)
        ):
            msg = (
                f"compact-codec: expected {NUM_GLOBAL} global ids below {GLOBAL_SIZE} and semantic ids "
                f"below {self.semantic_size}"
            )
            raise ValueError(msg)


def _network(tensors: dict[str, npt.NDArray[np.generic]]) -> "CodecNet":
    import torch

    from curation.tokenize.compact.network import CodecNet

    if LEVELS_TENSOR not in tensors:
        msg = f"{FILE}: no tensor {LEVELS_TENSOR}: fit it again with this version"
        raise DataError(msg)
    network = CodecNet([int(size) for size in tensors[LEVELS_TENSOR]]).eval()
    state = {
        name.removeprefix(NETWORK): torch.from_numpy(array.astype(np.float32))
        for name, array in tensors.items()
        if name.startswith(NETWORK)
    }
    found = network.load_state_dict(state, strict=False)
    wrong = [*found.unexpected_keys, *(key for key in found.missing_keys if not key.startswith("states_out."))]
    if wrong:
        msg = f"{FILE}: missing or unexpected tensors {', '.join(wrong)}: fit it again with this version"
        raise DataError(msg)
    return network
