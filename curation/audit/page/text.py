"""What strings of strangers may hold on a page: no credentials of URLs. How they are shown is up to the page itself."""

import re
from typing import Any

_URL = re.compile(r"://[^\s\"'<>]*")
"""Without the scheme: looking for its start takes quadratic time."""


def without_credentials(text: str) -> str:
    """The text, in which no URL has a query, a fragment, or a user: signed URLs carry their key there."""
    if "://" not in text:
        return text
    return _URL.sub(_bare, text)


def _bare(found: re.Match[str]) -> str:
    """A URL, which may hold others (`zip://a.wav::https://host`); its user ends at the last `@` before the path."""
    kept = re.split("[?#]", found[0], maxsplit=1)[0]
    parts = (part.partition("/") for part in kept.split("://"))
    return "://".join(host.rpartition("@")[2] + slash + path for host, slash, path in parts)


def cleaned(values: Any) -> Any:
    """Plain values with each string, keys of dictionaries too, `without_credentials`."""
    if isinstance(values, str):
        return without_credentials(values)
    if isinstance(values, dict):
        return {cleaned(key): cleaned(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [cleaned(value) for value in values]
    return values
