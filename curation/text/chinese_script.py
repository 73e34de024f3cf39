"""Chinese in one script, by OpenCC's tables of phrases. Simplified to traditional is a guess where one character has
several forms, traditional to simplified hardly ever.
"""

from functools import cache
from typing import Any, Literal

Script = Literal["simplified", "traditional"]


def in_script(text: str, script: Script) -> str:
    """The text in this script; other languages in it, marks and spaces stay."""
    return str(_converter("t2s" if script == "simplified" else "s2t").convert(text))


@cache
def _converter(table: str) -> Any:
    from opencc import OpenCC

    return OpenCC(table)
