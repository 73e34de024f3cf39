"""Opens tokenizers by reference: `compact` (shipped), a folder, a model reference such as `hf:REPO@REVISION`, or the
kind of a plug-in (entry points `curation.tokenizers`), alone or with a reference: `KIND:REFERENCE`.
"""

from functools import cache
from pathlib import Path
from threading import Lock

from curation.core.errors import ConfigError
from curation.core.plugins import Registry
from curation.models.store import is_reference, resolve
from curation.tokenize.adapters.base import Stream, TokenizerKind
from curation.tokenize.base import META, CodecTokenizer, ContentTokenizer

TOKENIZERS: Registry[TokenizerKind] = Registry(
    TokenizerKind, "curation.tokenizers", ["curation.tokenize.adapters"], what="tokenizer"
)
COMPACT = "compact"
OFFICIAL: dict[Stream, str] = {"content": "glm", "codec": "bicodec"}
"""The kind of a folder that no kind recognises."""
_LOADING = Lock()


def load_content(reference: str, device: str = "cpu") -> ContentTokenizer:
    """The 12.5 tokens/s tokenizer: the compact one, a fitted folder of it, a GLM-4-Voice checkpoint, or a plug-in's.

    Loaded once in a process, whichever threads ask for it.
    """
    with _LOADING:
        return _content(reference, device)


def load_codec(reference: str, device: str = "cpu") -> CodecTokenizer:
    """The codec: the compact one, a fitted folder of it, a BiCodec checkpoint, or a plug-in's. Loaded once as well."""
    with _LOADING:
        return _codec(reference, device)


@cache
def _content(reference: str, device: str) -> ContentTokenizer:
    kind, folder = _located(reference, "content")
    return kind.content(folder, _device(kind, device))


@cache
def _codec(reference: str, device: str) -> CodecTokenizer:
    kind, folder = _located(reference, "codec")
    return kind.codec(folder, _device(kind, device))


def _device(kind: TokenizerKind, device: str) -> str:
    return "cpu" if device == META and not kind.knows_meta else device


def kind_of(reference: str) -> str:
    """The kind that a reference names; empty where it names a folder or a model."""
    name = reference.partition(":")[0]
    is_folder = name != COMPACT and Path(reference).expanduser().is_dir()
    return name if name in TOKENIZERS and not is_folder else ""


def check_reference(reference: str, stream: Stream) -> None:
    """Raise ConfigError unless it names a kind that has the stream, a folder or a model; none is opened. A kind without
    a default needs a reference. An absolute path may be missing here: other machines may have it.
    """
    kind = kind_of(reference)
    if kind and stream not in TOKENIZERS[kind].streams:
        raise ConfigError(TOKENIZERS[kind].lacks())
    name = reference.partition(":")[2] if kind else reference
    if kind and not name and not TOKENIZERS[kind].has_default:
        raise ConfigError(TOKENIZERS[kind].needs())
    folder = Path(name).expanduser()
    if (kind and not name) or folder.is_absolute() or folder.is_dir() or is_reference(name):
        return
    expected = "a folder, or a model reference such as hf:REPO@REVISION"
    if kind:
        msg = f"{kind}:{name}: there is no folder or model {name!r}: expected {expected}"
        raise ConfigError(msg)
    msg = f"{TOKENIZERS.unknown(reference.partition(':')[0])}, {expected}"
    raise ConfigError(msg)


def likely_kind(reference: str, stream: Stream) -> str:
    """The kind that a reference is, without opening it: of one that is not on this machine, the official one."""
    return kind_of(reference) or OFFICIAL[stream]


def _located(reference: str, stream: Stream) -> tuple[TokenizerKind, Path | None]:
    """Kind and folder of a reference; None for the kind's own default."""
    kind = kind_of(reference)
    if kind:
        rest = reference.partition(":")[2]
        return TOKENIZERS[kind](), folder_of(rest) if rest else None
    folder = folder_of(reference)
    kinds = [TOKENIZERS[name]() for name in TOKENIZERS.built_in]
    found = next((item for item in kinds if item.recognises(folder, stream)), TOKENIZERS[OFFICIAL[stream]]())
    return found, folder


def folder_of(reference: str) -> Path:
    """Local folder of a reference; a plain path needs no `path:`."""
    if Path(reference).expanduser().is_dir():
        return Path(reference).expanduser()
    return resolve(reference)
