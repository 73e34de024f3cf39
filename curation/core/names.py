r"""Names of files that are not UTF-8: Unix allows any bytes, and no column of text can hold them.

`printable` writes the byte E9 as the four characters \xe9, which can be stored and shown; `existing` finds the file.
`shown` is for messages.
"""

import os
import re

_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def printable(path: str) -> str:
    r"""The path with `\xNN` for each byte that is no character."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def shown(value: object, most: int = 80) -> str:
    """A value as it stands in a message, cut where it is longer."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def existing(path: str) -> str:
    """The local path that `printable` was given, where there is no file of this very name."""
    if "\\x" not in path or os.path.lexists(path):
        return path
    original = os.fsdecode(_ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), path.encode()))
    return original if os.path.lexists(original) else path
