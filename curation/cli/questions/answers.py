"""Answers to questions about a corpus as tables of at most 80 columns; what is longer than a line is wrapped or cut.

Texts of recordings are shown as they are, never as markup; control characters are shown as escapes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from curation.cli.options import PlainConsole, printable
from curation.cli.tables import NAMES, hours

WIDTH = 80
MOST_COLUMNS = 8
"""Of a table; of more columns, each row is written by itself."""


def console() -> Console:
    """Standard output, 80 columns wide."""
    return PlainConsole(width=WIDTH)


def safe(value: Any) -> Text:
    """A text of a stranger in one line, with nothing that moves the cursor or turns the line around."""
    return Text(printable(str(value)).replace("\n", "\\n"))


def number(value: float | None) -> str:
    """A score in a table; nothing for what was not measured."""
    return "" if value is None else f"{value:.4g}"


def print_why(found: Mapping[str, Any]) -> None:
    """One utterance."""
    out = console()
    place = f"{found['recording_id']}, {found['start']:.2f} to {found['end']:.2f} s"
    out.print(safe(found["id"] or place))
    lines = {
        "verdict": " ".join(filter(None, (NAMES[found["status"]], found["reason"] or ""))),
        "marked": found.get("marked") and f"{found['marked']}, by a person",
        "value": _against(found),
        "detail": found.get("detail"),
        "recording": place if found["id"] else None,
        "speaker": found.get("speaker"),
        "language": found.get("language"),
        "text": found["text"],
    }
    grid = _grid()
    for name, value in lines.items():
        if value is not None:
            grid.add_row(name, safe(value))
    for item in found["hypotheses"] or ():
        said = f"failed: {item['error']}" if item["error"] else item["text"]
        outlier = " (outlier)" if item["system"] == found["outlier"] else ""
        grid.add_row(safe(item["system"] + outlier), safe(said))
    out.print(grid)
    if found["rules"]:
        out.print(_rules(found))


def _against(found: Mapping[str, Any]) -> str | None:
    if found.get("value") is None:
        return None
    threshold = "" if found["threshold"] is None else f", threshold {number(found['threshold'])}"
    return f"{number(found['value'])}{threshold}"


def _rules(found: Mapping[str, Any]) -> Table:
    untried = found["rules_broken"] is None
    title = "thresholds (not tried: a stage gave the verdict)" if untried else "thresholds, in order"
    table = _table(title, ("setting",), ("value", "rejects", "margin", ""))
    for rule in found["rules"]:
        answer = "not measured" if rule["missing"] else "broken" if rule["broken"] else "met"
        said = "" if untried else answer if rule["applies"] else "does not apply"
        mark = f"{said}, the reason" if rule["primary"] else said
        limit = f"{rule['rejects']} {number(rule['threshold'])}"
        table.add_row(rule["rule"], number(rule["value"]), limit, number(rule["margin"]), mark)
    return table


def print_whatif(found: Mapping[str, Any]) -> None:
    """Seconds before and after, by verdict and by language."""
    out = console()
    kept = found["kept_seconds"]
    table = _table("", ("verdict", "reason"), ("before", "after", "change"))
    for row in found["verdicts"]:
        table.add_row(NAMES[row["status"]], row["reason"], *_change(row["before"], row["after"]))
    out.print(table)
    table = _table("kept, by language", ("language",), ("before", "after", "change"))
    for row in found["languages"]:
        table.add_row(safe(row["language"] or "none"), *_change(row["kept_before"], row["kept_after"]))
    table.add_section()
    table.add_row("all", *_change(kept["before"], kept["after"]))
    out.print(table)


def _change(before: float, after: float) -> tuple[str, str, str]:
    sign = "+" if after > before else "-" if after < before else ""
    return hours(before), hours(after), f"{sign}{hours(abs(after - before))}" if sign else ""


def print_sample(found: Sequence[Mapping[str, Any]]) -> None:
    """Each utterance in two lines, and what it stands for."""
    out = console()
    for row in found:
        weight = "" if row["weight"] is None else f", stands for {row['weight']:,.1f}"
        why = " ".join(filter(None, (NAMES[row["status"]], row["reason"], _against(row))))
        out.print(safe(row["id"] or f"{row['recording_id']}@{row['start']:.2f}s"))
        out.print(safe(f"  {row['language'] or '--'} {row['seconds']:.1f} s, {why}{weight}"))
        if row["text"]:
            out.print(safe(f"  {row['text']}"))


def print_top(found: Mapping[str, Any]) -> None:
    """Names with most hours first."""
    title = f"{hours(found['kept_seconds'])} kept, of {found['names']:,} {found['kind']}"
    table = _table(title, (found["kind"][:-1],), ("kept", "share", "in all", "utterances"))
    for row in found["top"]:
        share, kept, whole = f"{row['share']:.1%}", hours(row["kept_seconds"]), hours(row["seconds"])
        table.add_row(safe(row["name"] or "none"), kept, share, whole, f"{row['utterances']:,}")
    console().print(table)


def print_diff(found: Mapping[str, Any]) -> None:
    """Changes, those of most hours first."""
    out = console()
    if found["thresholds"]:
        table = _table("thresholds", ("setting",), ("A", "B"))
        for row in found["thresholds"]:
            table.add_row(row["setting"], number(row["a"]), number(row["b"]))
        out.print(table)
    table = _table("verdicts that differ", ("A", "B"), ("count", "duration"))
    for row in found["verdicts"]:
        sides = [" ".join(filter(None, (NAMES[row[f"status_{x}"]], row[f"reason_{x}"]))) for x in "ab"]
        table.add_row(*sides, f"{row['count']:,}", hours(row["seconds"]))
    out.print(table if found["verdicts"] else "no verdict differs")
    for side, name in (("a", "A"), ("b", "B")):
        for row in found["only"][side]:
            out.print(f"only in {name}: {row['count']:,} {NAMES[row['status']]}, {hours(row['seconds'])}")
    texts = found["texts"]
    out.print(f"{texts['changed']:,} of {texts['both']:,} texts differ, {hours(texts['seconds'])}")
    for row in texts["examples"]:
        out.print(safe(row["a"]))
        out.print(safe(f"  A {row['text_a']}"))
        out.print(safe(f"  B {row['text_b']}"))
    if found["scores"]:
        table = _table("scores that differ", ("score",), ("count", "mean change", "mean distance"))
        for row in found["scores"]:
            table.add_row(row["score"], f"{row['count']:,}", number(row["mean"]), number(row["mean_distance"]))
        out.print(table)


def print_answer(found: Mapping[str, Any]) -> None:
    """Rows of a SELECT; numbers on the right, and nothing for null."""
    out, rows = console(), [[_cell(value) for value in row] for row in found["rows"]]
    if len(found["columns"]) <= MOST_COLUMNS:
        table = Table()
        for at, name in enumerate(found["columns"]):
            right = all(isinstance(row[at], int | float | None) for row in found["rows"])
            table.add_column(safe(name), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*row)
        out.print(table)
    else:
        for number_of, row in enumerate(rows, start=1):
            grid = _grid()
            for name, value in zip(found["columns"], row, strict=True):
                if value:
                    grid.add_row(safe(name), value)
            out.print(f"row {number_of}", grid, sep="\n")
    if found["more"]:
        out.print("there are more rows: -n N shows more")


def _cell(value: Any) -> Text:
    return safe("" if value is None else number(value) if isinstance(value, float) else value)


def _grid() -> Table:
    """Names and values, which are wrapped, also where nothing says how: no text is cut."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(overflow="fold")
    grid.add_column(overflow="fold")
    return grid


def _table(title: str, left: Iterable[str], right: Iterable[str]) -> Table:
    """A table without rows yet: columns of texts on the left, which are wrapped, and of numbers on the right."""
    table = Table(title=title or None, title_justify="left")
    for name in left:
        table.add_column(name, overflow="fold")
    for name in right:
        table.add_column(name, justify="right")
    return table


def print_imported(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """What became of each mark that was not simply taken."""
    out = console()
    out.print(f"{len(found['taken'])} marks taken, {len(found['known'])} known before; publish again to apply them")
    told = {
        "stale": "refused: the text has changed since it was marked",
        "unknown": "refused: there is no such utterance",
        "conflicts": "in conflict: neither counts until one is retracted",
    }
    for name, what in told.items():
        if found[name]:
            out.print(f"{len(found[name])} {what}")
            print_marks(found[name])


def print_marks(found: Sequence[Mapping[str, Any]]) -> None:
    """Marks, each on a line, and the text that was written."""
    out = console()
    for mark in found:
        said = " ".join(filter(None, (mark["kind"], mark["verdict"], f"by {mark['by']}" if mark["by"] else "")))
        out.print(safe(f"{mark['id']}: {said}{', in conflict' if mark.get('conflict') else ''}"))
        if mark["text"]:
            out.print(safe(f"  {mark['text']}"))


def print_estimate(found: Mapping[str, Any]) -> None:
    """The share of all, and of each stratum."""
    table = _table(f"wrong utterances of {found['of']}", ("stratum",), ("reviewed", "wrong", "share", "95 % interval"))
    for name, row in [*found["strata"].items(), ("all, weighted", found)]:
        interval = f"{row['low']:.1%} to {row['high']:.1%}"
        table.add_row(safe(name), str(row["reviewed"]), str(row["wrong"]), f"{row['share']:.1%}", interval)
    console().print(table)
