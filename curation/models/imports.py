"""Imports a file into the model store, from disk or from the web: for models that no package or hub carries.

    import_model("https://…/english_us_arpa.zip", sha256="…").reference     # store:english_us_arpa.zip#sha256=…

The reference is pinned and the same on every machine that has imported the file.
"""

import hashlib
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from curation.core.errors import ModelError
from curation.models.store import finished_at, imported_path, sha256_of

MAX_BYTES = 16 * 2**30
TIMEOUT_SECONDS = 60
CHUNK = 2**20


@dataclass(frozen=True, slots=True)
class Imported:
    """A file of the store."""

    name: str
    path: Path
    sha256: str

    @property
    def reference(self) -> str:
        """What a configuration names."""
        return f"store:{self.name}#sha256={self.sha256}"


def import_model(source: str, *, sha256: str = "", name: str = "") -> Imported:
    """Copy the file at a path or URL into the store, under its own name or another one.

    Raises ModelError where it cannot be had, is not the one with this SHA-256, or another file has the name already.
    """
    name = name or _name_of(source)
    target = imported_path(name)
    wanted = sha256.lower()
    with finished_at(target) as temporary:
        digest = _copy(source, temporary, pinned=bool(wanted))
        if wanted and digest != wanted:
            msg = f"{source} has SHA-256 {digest}, not {wanted}: nothing was imported"
            raise ModelError(msg)
        if target.exists() and sha256_of(target) != digest:
            msg = f"{target} is another file of that name: delete it, or choose another name with --name"
            raise ModelError(msg)
    return Imported(name, target, digest)


def _is_url(source: str) -> bool:
    return "://" in source


def _name_of(source: str) -> str:
    path = unquote(urlsplit(source).path) if _is_url(source) else source
    return Path(path).name


def _copy(source: str, target: Path, *, pinned: bool) -> str:
    """Hex SHA-256 of what was copied."""
    digest = hashlib.sha256()
    size = 0
    try:
        with _opened(source, pinned=pinned) as stream, target.open("wb") as out:
            while part := stream.read(CHUNK):
                size += len(part)
                if size > MAX_BYTES:
                    msg = f"{source} has more than {MAX_BYTES >> 30} GiB: it was not imported"
                    raise ModelError(msg)
                digest.update(part)
                out.write(part)
    except (OSError, HTTPException, ValueError) as error:
        msg = f"{source} cannot be imported ({error}): check the path or URL, and try again"
        raise ModelError(msg) from error
    return digest.hexdigest()


@contextmanager
def _opened(source: str, *, pinned: bool) -> Iterator[IO[bytes]]:
    if not _is_url(source):
        with Path(source).expanduser().open("rb") as file:
            yield file
        return
    _check_scheme(source, pinned=pinned)
    opener = urllib.request.build_opener(_Redirects(pinned=pinned))
    with opener.open(source, timeout=TIMEOUT_SECONDS) as response:
        yield response


def _check_scheme(url: str, *, pinned: bool) -> None:
    """Plain HTTP can be changed on its way, so that it takes a pin; other schemes could read files of this machine."""
    scheme = urlsplit(url).scheme.lower()
    if scheme != "https" and not (scheme == "http" and pinned):
        remedy = "give its SHA-256 with --sha256" if scheme == "http" else "give a path or an https URL"
        msg = f"{url} is not imported over {scheme}: {remedy}"
        raise ModelError(msg)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Checks where a redirection leads."""

    def __init__(self, *, pinned: bool) -> None:
        self._pinned = pinned

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        _check_scheme(newurl, pinned=self._pinned)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
