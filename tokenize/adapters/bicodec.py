"""BiCodec, from a folder or a repository with the official layout."""

from pathlib import Path

from curation.core.errors import ConfigError
from curation.tokenize.adapters.base import TokenizerKind
from curation.tokenize.base import CodecTokenizer


class BiCodec(TokenizerKind):
    """The kind of a folder that no other kind recognises."""

    kind = "bicodec"
    streams = ("codec",)
    has_default = False
    knows_meta = True

    def codec(self, folder: Path | None, device: str) -> CodecTokenizer:
        """The tokenizer of a checkpoint. Raises ConfigError without one: none is shipped."""
        from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer

        if folder is None:
            raise ConfigError(self.needs())
        return BiCodecTokenizer(folder, device)
