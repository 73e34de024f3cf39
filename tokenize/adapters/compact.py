"""The compact tokenizers that this package ships, and fitted ones in a folder (`curation tokenizer fit`)."""

from pathlib import Path

from curation.core.declarations import Resources
from curation.tokenize.adapters.base import Stream, TokenizerKind
from curation.tokenize.base import META, CodecTokenizer, ContentTokenizer

FILES: dict[Stream, str] = {"content": "compact_content.safetensors", "codec": "compact_codec.safetensors"}


class Compact(TokenizerKind):
    """Both streams, on the CPU."""

    kind = "compact"
    streams = ("content", "codec")
    knows_meta = True
    models = ("whisper-tiny.en",)
    resources = Resources(gpus=0.0, memory_gib=0.35)

    def recognises(self, folder: Path, stream: Stream) -> bool:
        """By the file that `curation tokenizer fit` writes."""
        return (folder / FILES[stream]).is_file()

    def content(self, folder: Path | None, device: str) -> ContentTokenizer:
        """The shipped one, or a fitted one. It uses the CPU."""
        from curation.tokenize.compact.content import CompactContent

        return CompactContent(folder, whisper=device != META)

    def codec(self, folder: Path | None, device: str) -> CodecTokenizer:  # noqa: ARG002 - it uses the CPU
        """The shipped one, or a fitted one."""
        from curation.tokenize.compact.codec import CompactCodec

        return CompactCodec(folder)
