"""The speech tokenizers of a checkpoint, opened when they are first needed, and what becomes of a reference.

A tokenizer that is not the one of training, or has more codes than the vocabulary, is refused.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError
from curation.tokenize.base import CodecTokenizer, ContentTokenizer, Ids
from curation.tokenize.registry import load_codec, load_content
from curation.tokenize.vocabulary import Stream, Vocabulary
from curation.train.checkpoint.folder import CheckpointFolder
from curation.train.infer.long_text import MAX_SECONDS, MIN_SAMPLES
from curation.train.infer.preparation import Prepare, checked_wave


@dataclass(frozen=True, slots=True, eq=False)
class VoiceSample:
    """A voice: its global ids (num_global,) int32. Where it is known what the recording says, also that text and the
    semantic codes (tokens,) int32 of the recording, from which speech then goes on.
    """

    ids: Ids
    transcript: str = ""
    semantic: Ids = field(default_factory=lambda: np.zeros(0, np.int32))


Reference = Wave | Ids | VoiceSample


class Tokenizers:
    """Both tokenizers of a checkpoint. `prepare` makes utterances of all waves first."""

    def __init__(self, parts: CheckpointFolder, vocabulary: Vocabulary, device: str, prepare: Prepare) -> None:
        self.vocabulary, self.prepare = vocabulary, prepare
        self._parts, self._device = parts, device

    @cached_property
    def content(self) -> ContentTokenizer:
        """The second tokenizer of ASR, besides the codec. Raises DataError where it is not that of training."""
        content = load_content(self._parts.tokenizers.glm, self._device)
        self._check_fingerprint("glm", content)
        self._check_size("glm", content.codebook_size, content.name)
        return content

    @cached_property
    def codec(self) -> CodecTokenizer:
        """The codec, for input and output. Raises DataError where it is not that of training."""
        codec = load_codec(self._parts.tokenizers.bicodec, self._device)
        self._check_fingerprint("bicodec", codec)
        self._check_size("semantic", codec.semantic_size, codec.name)
        self._check_size("global_", codec.global_size, codec.name)
        return codec

    def open(self) -> None:
        """Open both now, so that what is wrong with one is not found by a request."""
        _ = self.content, self.codec

    def utterances(self, wave: npt.ArrayLike) -> list[Wave]:
        """Those of a wave (samples,), as the tokenizers get them. Raises DataError for what is none."""
        utterances = self.prepare(checked_wave(wave))
        if not isinstance(utterances, list) or not utterances:
            found = type(utterances).__name__ if not isinstance(utterances, list) else "none"
            msg = f"prepare= must give a list of utterances, one or more, not {found}: return [wave] for the whole"
            raise DataError(msg)
        return [checked_wave(one) for one in utterances]

    def prepared(self, wave: npt.ArrayLike) -> Wave:
        """All utterances of a reference as one. Raises DataError as `utterances` does."""
        return np.concatenate(self.utterances(wave))

    def voice(self, reference: Reference) -> Ids:
        """Global ids of a reference, which may be those already.

        Raises DataError where it is neither a wave of floats nor the global ids of one.
        """
        if isinstance(reference, VoiceSample):
            return self.voice(reference.ids)
        given = np.asarray(reference)
        if not self._is_voice(reference):
            return self.codec.voices([self.prepared(given)])[0]
        if not 0 <= given.min() <= given.max() < self.codec.global_size:
            msg = f"global ids from {given.min()} to {given.max()}: those of {self.codec.name} are from 0 to "
            raise DataError(msg + f"{self.codec.global_size - 1}; make them anew with this model's voice()")
        return given.astype(np.int32)

    def sample(self, reference: Reference, transcript: str = "") -> VoiceSample:
        """A reference with what is said in it, where that is known; a sample stays as it is.

        Raises DataError as `voice` does, and for a transcript without a recording, or of too long or short a one.
        """
        if not transcript.strip():
            return reference if isinstance(reference, VoiceSample) else VoiceSample(self.voice(reference))
        if isinstance(reference, VoiceSample) or self._is_voice(reference):
            msg = f"the transcript {transcript[:40]!r} is of a recording: give that as reference, not ids of its voice"
            raise DataError(msg)
        wave = self.prepared(reference)
        if not MIN_SAMPLES <= len(wave) <= MAX_SECONDS * SAMPLE_RATE:
            msg = f"a reference of {len(wave) / SAMPLE_RATE:.2f} s: with its transcript it must be one utterance of "
            raise DataError(msg + f"{MIN_SAMPLES / SAMPLE_RATE:g} to {MAX_SECONDS:g} s: cut it, and its transcript")
        tokens = self.codec.encode([wave])[0]
        return VoiceSample(tokens.global_, transcript, tokens.semantic)

    def _is_voice(self, reference: Wave | Ids) -> bool:
        given = np.asarray(reference)
        return given.shape == (self.codec.num_global,) and np.issubdtype(given.dtype, np.integer)

    def _check_fingerprint(self, part: str, tokenizer: ContentTokenizer | CodecTokenizer) -> None:
        trained = self._parts.tokenizers.fingerprints.get(part, tokenizer.fingerprint)
        if trained != tokenizer.fingerprint:
            msg = (
                f"{self._parts.model}: trained on tokens of the {part} tokenizer {trained[:12]}, its reference gives "
                f"{tokenizer.fingerprint[:12]}: put the right folder into speech_tokenizers.json"
            )
            raise DataError(msg)

    def _check_size(self, stream: Stream, size: int, name: str) -> None:
        own = len(self.vocabulary.streams[stream])
        if size > own:
            msg = f"the tokenizer {name} has {size} {stream} codes, the checkpoint's vocabulary {own}: not its own"
            raise DataError(msg)
