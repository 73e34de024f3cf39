"""What strings of strangers may hold on a page: no credentials of URLs. How they are shown is up to the page itself."""

import re
from typing import Any

_QUERY = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@\"'<>]*@")


def without_credentials(text: str) -> str:
    """The text, in which no URL has a query, a fragment, or a user: signed URLs carry their key there."""
    if "://" not in text:
        return text
    return _LOGIN.sub(r"\1", _QUERY.sub(r"\1", text))


def cleaned(values: Any) -> Any:
    """Plain values with each string, keys of dictionaries too, `without_credentials`."""
    if isinstance(values, str):
        return without_credentials(values)
    if isinstance(values, dict):
        return {cleaned(key): cleaned(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [cleaned(value) for value in values]
    return values
