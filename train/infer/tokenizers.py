"""The speech tokenizers of a checkpoint, opened when they are first needed, and what becomes of a reference.

A tokenizer that is not the one of training, or has more codes than the vocabulary, is refused.
"""

from functools import cached_property

import numpy as np

from curation.audio.wave import Wave
from curation.core.errors import DataError
from curation.tokenize.base import CodecTokenizer, ContentTokenizer, Ids
from curation.tokenize.registry import load_codec, load_content
from curation.tokenize.vocabulary import Stream, Vocabulary
from curation.train.checkpoint.folder import CheckpointFolder
from curation.train.infer.preparation import Prepare, checked_wave

Reference = Wave | Ids


class Tokenizers:
    """Both tokenizers of a checkpoint. `prepare` is done to all waves first."""

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

    def prepared(self, wave: Wave) -> Wave:
        """A wave (samples,) as the tokenizers get it. Raises DataError for what is none."""
        return self.prepare(checked_wave(wave))

    def voice(self, reference: Reference) -> Ids:
        """Global ids of a reference, which may be those already.

        Raises DataError where it is neither a wave of floats nor the global ids of one.
        """
        given = np.asarray(reference)
        if given.shape != (self.codec.num_global,) or not np.issubdtype(given.dtype, np.integer):
            return self.codec.voices([self.prepared(given)])[0]
        if not 0 <= given.min() <= given.max() < self.codec.global_size:
            msg = f"global ids from {given.min()} to {given.max()}: those of {self.codec.name} are from 0 to "
            raise DataError(msg + f"{self.codec.global_size - 1}; make them anew with this model's voice()")
        return given.astype(np.int32)

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
