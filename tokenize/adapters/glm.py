"""GLM-4-Voice's speech tokenizer, from a folder or a repository with the official layout."""

from pathlib import Path

from curation.core.errors import ConfigError
from curation.tokenize.adapters.base import TokenizerKind
from curation.tokenize.base import ContentTokenizer


class Glm(TokenizerKind):
    """The kind of a folder that no other kind recognises."""

    kind = "glm"
    streams = ("content",)
    has_default = False
    knows_meta = True

    def content(self, folder: Path | None, device: str) -> ContentTokenizer:
        """The tokenizer of a checkpoint. Raises ConfigError without one: none is shipped."""
        from curation.tokenize.official.glm import GlmTokenizer

        if folder is None:
            raise ConfigError(self.needs())
        return GlmTokenizer(folder, device)
