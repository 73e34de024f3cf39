"""Opens tokenizers by reference: `compact` (shipped), a folder, or a model reference such as `hf:REPO@REVISION`."""

from functools import cache
from pathlib import Path

from curation.models.store import resolve
from curation.tokenize.base import CodecTokenizer, ContentTokenizer

COMPACT = "compact"


@cache
def load_content(reference: str, device: str = "cpu") -> ContentTokenizer:
    """The 12.5 tokens/s tokenizer: the compact one, a fitted folder of it, or a GLM-4-Voice checkpoint."""
    from curation.tokenize.compact.content import CompactContent

    if reference == COMPACT:
        return CompactContent()
    folder = folder_of(reference)
    if (folder / "compact_content.safetensors").is_file():
        return CompactContent(folder)
    from curation.tokenize.official.glm import GlmTokenizer

    return GlmTokenizer(folder, device)


@cache
def load_codec(reference: str, device: str = "cpu") -> CodecTokenizer:
    """The codec: the compact one, a fitted folder of it, or a BiCodec checkpoint."""
    from curation.tokenize.compact.codec import CompactCodec

    if reference == COMPACT:
        return CompactCodec()
    folder = folder_of(reference)
    if (folder / "compact_codec.safetensors").is_file():
        return CompactCodec(folder)
    from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer

    return BiCodecTokenizer(folder, device)


def folder_of(reference: str) -> Path:
    """Local folder of a reference; a plain path needs no `path:`."""
    if Path(reference).expanduser().is_dir():
        return Path(reference).expanduser()
    return resolve(reference)
