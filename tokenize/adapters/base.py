"""The interface of tokenizer kinds: how the tokenizers of one or both streams are opened.

To add one: a file in this folder with a class that sets `kind` and opens one stream or both; the same class in a
package of your own has an entry point in the group `curation.tokenizers`.
"""

from pathlib import Path
from typing import ClassVar, Literal

from curation.core.declarations import Adapter
from curation.core.errors import ConfigError
from curation.tokenize.base import CodecTokenizer, ContentTokenizer

Stream = Literal["content", "codec"]


class TokenizerKind(Adapter):
    """Named in a configuration as `KIND`, or as `KIND:REFERENCE` with a folder or model reference of its own.

    Without a `REFERENCE`, `folder` is None.
    """

    streams: ClassVar[tuple[Stream, ...]]
    """Which streams it has: `content` (12.5 ids a second) or `codec` (50 ids a second, and the global ones)."""
    has_default: ClassVar[bool] = True
    """Whether `KIND` alone opens one; else only `KIND:REFERENCE` does."""
    knows_meta: ClassVar[bool] = False
    """Whether it opens one without weights for the device `meta` (see `tokenize.base.META`); else it is given `cpu`."""

    def recognises(self, folder: Path, stream: Stream) -> bool:  # noqa: ARG002 - for subclasses
        """Whether a folder that is named without a kind is one of this kind."""
        return False

    def content(self, folder: Path | None, device: str) -> ContentTokenizer:  # noqa: ARG002
        """The 12.5 tokens/s tokenizer in a folder, or its default one. Raises ModelError where files are missing."""
        msg = f"tokenize.glm: {self.lacks()}"
        raise ConfigError(msg)

    def codec(self, folder: Path | None, device: str) -> CodecTokenizer:  # noqa: ARG002
        """The codec in a folder, or its default one. Raises ModelError where files are missing."""
        msg = f"tokenize.bicodec: {self.lacks()}"
        raise ConfigError(msg)

    @classmethod
    def needs(cls) -> str:
        """The message for `KIND` alone where there is no default."""
        return f"{cls.kind} needs a checkpoint: {cls.kind}:FOLDER, or {cls.kind}:hf:REPO@REVISION"

    @classmethod
    def lacks(cls) -> str:
        """The message for a stream that it does not have."""
        return f"the tokenizer {cls.kind!r} has no such stream, it has {', '.join(cls.streams)}"
