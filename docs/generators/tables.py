"""Markdown tables."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; columns that are empty in every row are left out, and without rows there is no table."""
    cells = [[_cell(text) for text in row] for row in rows]
    used = [place for place in range(len(head)) if any(row[place] for row in cells)]
    if not used:
        return ""
    lines = [[head[place] for place in used], ["---"] * len(used), *([row[place] for place in used] for row in cells)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def codes(names: Iterable[str]) -> str:
    """Names as inline code, with commas between them."""
    return ", ".join(f"`{name}`" for name in names)


def number(value: float | None) -> str:
    """A number as short as it is; empty for None and 0."""
    return f"{value:g}" if value else ""


def _cell(text: str) -> str:
    """One line in which `|` and `<` are themselves; code spans need no help."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|").replace("<", "&lt;") for part in parts)
