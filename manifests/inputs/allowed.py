"""What the rows of manifests may name: a manifest of strangers cannot make a build ask hosts that nobody named."""

import os
import posixpath
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote

from curation.core.errors import ConfigError
from curation.core.settings import Section, publish_field

_WEB = frozenset({"http", "https"})
_LOCAL = frozenset({"", "file", "local", "memory"})
_WRAPPERS = frozenset({"parquet", "zip", "tar", "libarchive", "simplecache", "filecache", "blockcache"})
"""fsspec chains these before the URL that they read: `zip://a.wav::s3://bucket/all.zip`."""


class InputsConfig(Section):
    """What inputs may be."""

    allow: list[str] | None = publish_field(
        None,
        "folders and URLs below which rows of manifests may name recordings, beside the manifest's own folder; null: "
        "all of this machine, and URLs of hosts and buckets that the inputs name",
    )
    require_licence: bool = publish_field(
        False,  # noqa: FBT003 - a default
        "refuse recordings of which no manifest names the licence",
    )


class Allowed:
    """Decides what rows may name, for some inputs."""

    def __init__(self, inputs: Iterable[str], allow: list[str] | None = None) -> None:
        self._hosts = {_host(part) for name in inputs for part in _parts(name)}
        self._prefixes = None if allow is None else [_normal(_absolute(prefix)) for prefix in allow]

    def check(self, path: str, folder: str, where: str) -> None:
        """Raise ConfigError, which names the row, for a path or URL that a manifest in that folder may not name."""
        parts = list(_parts(path))
        if not parts:
            msg = f"{where}: {path} does not say which file it is in: write that behind it (zip://a.wav::/data/all.zip)"
            raise ConfigError(msg)
        for part in parts:
            if self._prefixes is None:
                allowed = _protocol(part) in _LOCAL or _host(part) in self._hosts
            else:
                allowed = any(_is_below(_normal(part), prefix) for prefix in [*self._prefixes, _normal(folder)])
            if not allowed:
                place = f"{_host(part)}/" if _protocol(part) not in _LOCAL else posixpath.dirname(_normal(part))
                msg = (
                    f"{where}: {path} is not below what manifests may name: if you trust the manifest, allow it with "
                    f"--set 'inputs.allow=[{place}]'"
                )
                raise ConfigError(msg)


def is_below(path: str, prefixes: Iterable[str]) -> bool:
    """Whether a path or URL, and each one that it is read through, is one of the folders and URLs, or below one."""
    whole, parts = [_normal(_absolute(prefix)) for prefix in prefixes], [_normal(_absolute(x)) for x in _parts(path)]
    return bool(parts) and all(any(_is_below(part, prefix) for prefix in whole) for part in parts)


def local(path: str) -> str | None:
    """The path on this machine; None for what is read through a URL or an archive."""
    if "::" in path or _protocol(path) not in {"", "file", "local"}:
        return None
    return path.partition("://")[2] if "://" in path else path


def _parts(path: str) -> Iterator[str]:
    """The URLs that a path is made of, without the archives and caches that they are read through."""
    chain = path.split("::")
    if len(chain) > 1:  # fsspec takes a bare word for a protocol there
        chain = [part if re.search("[^a-z]", part) else f"{part}://" for part in chain]
    return (part for part in chain if _protocol(part) not in _WRAPPERS)


def _protocol(part: str) -> str:
    return part.partition("://")[0].lower() if "://" in part else ""


def _host(part: str) -> str:
    """Protocol and host (or bucket) of a URL; of a local path nothing."""
    if _protocol(part) in _LOCAL:
        return ""
    authority = re.split("[/?#]", part.partition("://")[2], maxsplit=1)[0]  # `https://evil?@host/` is at evil
    return f"{_protocol(part)}://{authority.rpartition('@')[2].lower()}"


def _absolute(part: str) -> str:
    return part if "://" in part else os.path.abspath(part)  # noqa: PTH100 - Path would follow links


def _normal(part: str) -> str:
    """Without `..` and without a slash at the end, so that what begins alike is below."""
    if _protocol(part) in _LOCAL:
        return posixpath.normpath(part.partition("://")[2] if "://" in part else part)
    asked = re.split("[?#]" if _protocol(part) in _WEB else "[?]", part.partition("://")[2], maxsplit=1)[0]
    below = posixpath.normpath("/" + unquote(asked.partition("/")[2]))
    return f"{_host(part)}{below}".rstrip("/")


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")
