"""Takes the credentials out of URLs, before a table, a page or a message shows them.

    without_credentials("403 for https://key:secret@host/a.wav?sig=secret")      # 403 for https://host/a.wav

A URL may hold others (`zip://a.wav::https://host/b.zip`), and stands in any text up to a blank, or up to its query.
What is doubtful goes: a password is more than a name that can be read.
"""

import re

_WITH_PASSWORD = r"(?!\[[\da-fA-F:.]*\])[^\s/:@]+:(?!\d*(?:[/?#\s]|$))(?:(?!://)[^\s@])*"  # noqa: S105 - a pattern
"""A user and a password, which may hold a slash, as the keys of S3 do. A port is none, nor is an address of IPv6."""
_USER = re.compile(rf"://(?:[^\s/]*|{_WITH_PASSWORD})@")
_FURTHER = r"(?:[ \t]+\S*&[\w.~%-]+=\S*)*"
"""Of a query with a blank in one of its values: what follows it is signed, or signs."""
_QUERY = re.compile(rf"(https?)?(://(?:(?!://)[^\s?#])*)([?#]\S*{_FURTHER})", re.IGNORECASE)
_AFTER_BLANK = re.compile(rf"(://(?:(?!://)[^?#\r\n])*)\?[\w.~%-]+=\S*{_FURTHER}")
"""A query behind a name that has a blank."""
_CONTAINERS = tuple(f"{scheme}://" for scheme in ("abfs", "abfss", "wasb", "wasbs", "az"))
"""Azure's, whose URLs are `abfs://CONTAINER@ACCOUNT/...`."""


def without_credentials(text: str) -> str:
    """The text, in which no URL has a user, nor a query or a fragment that may hold a key: signed URLs do.

    A name of an object store may have `?` and `#` itself: there only `?name=value` is a query. Local paths stay.
    """
    if "://" not in text:
        return text
    return _AFTER_BLANK.sub(r"\1", _QUERY.sub(_bare, _USER.sub(_anonymous, text)))


def _anonymous(found: re.Match[str]) -> str:
    is_container = found.string.endswith(_CONTAINERS, 0, found.start() + 3) and ":" not in found[0][3:]
    return found[0] if is_container else "://"


def _bare(found: re.Match[str]) -> str:
    scheme, name, rest = found[1] or "", found[2], found[3]
    return scheme + name if scheme or "=" in rest else found[0]
