"""Which files hold audio: by the suffix of their name, else by what FFmpeg finds in them."""

import posixpath
from typing import Any, BinaryIO

NO_PROTOCOLS = {"protocol_whitelist": "none"}
"""Options of a container: what it holds cannot make FFmpeg open anything else."""

_MEDIA = """
wav flac mp3 m4a aac ogg oga opus webm mp4 mkv mov wma aif aiff aifc amr ac3 caf au snd 3gp 3g2 mka m4b mp2 mpg mpeg
avi wmv asf flv m2ts mts vob sph w64 wv gsm ape tta spx
"""
_NO_MEDIA = """
txt md rst html htm xml yaml yml toml ini cfg log pdf doc docx rtf xls xlsx ppt pptx tex py sh ipynb
srt vtt ass ssa lrc lab textgrid stm ctm rttm uem trs eaf cha trn jpg jpeg png gif bmp tif tiff webp svg heic
zip tar gz tgz bz2 xz zst 7z rar npy npz pt pth ckpt bin safetensors onnx h5 hdf5 pkl arrow feather db sqlite
md5 sha1 sha256 torrent
"""
MEDIA_SUFFIXES = frozenset(f".{name}" for name in _MEDIA.split())
OTHER_SUFFIXES = frozenset(f".{name}" for name in _NO_MEDIA.split())
"""Files that are not opened to look for audio: they are many beside recordings, and each would be a request."""

_PCM_ENDINGS = ("be", "le")
HEADERLESS = frozenset(
    {"alaw", "mulaw", "s8", "u8", "vidc", "codec2raw", "g726", "g726le", "aptx", "aptx_hd", "dfpwm"}
    | {f"{kind}{bits}{end}" for kind in "su" for bits in (16, 24, 32) for end in _PCM_ENDINGS}
    | {f"f{bits}{end}" for bits in (32, 64) for end in _PCM_ENDINGS}
)
"""FFmpeg's names of formats that hold samples alone: it takes them by their suffix and guesses the sample rate."""


def suffix(path: str) -> str:
    """The suffix of a name in small letters, with its dot."""
    return posixpath.splitext(path)[1].lower()


def holds_audio(file: BinaryIO) -> bool:
    """Whether FFmpeg finds audio in an open file, from its header. Raises OSError where it cannot be read."""
    import av

    try:
        with av.open(file, metadata_errors="replace", container_options=NO_PROTOCOLS) as container:
            return container.format.name not in HEADERLESS and any(map(_is_audio, container.streams))
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        return False


def _is_audio(stream: Any) -> bool:
    return bool(stream.type == "audio")
