"""The command that looks for near duplicates: dedup."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.cli.options import AsJson, ForceUnlock, Output, Wait, print_json

if TYPE_CHECKING:
    from curation.dedup.find import Report


def dedup(  # noqa: PLR0913 - the options of a command
    output: Output,
    *,
    codes: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="Share of the codes that two utterances have in common.")
    ] = 0.55,
    rhythm_ms: Annotated[
        float,
        typer.Option(min=0, metavar="MS", help="Or else: how far off the words may be that they have in common."),
    ] = 20.0,
    speed: Annotated[
        float, typer.Option(min=0, metavar="X", help="How much faster one of two in the same rhythm may be.")
    ] = 0.15,
    voice: Annotated[float, typer.Option(min=-1, max=1, metavar="X", help="Cosine of their speaker embeddings.")] = 0.5,
    words: Annotated[float, typer.Option(min=0, max=1, metavar="X", help="Share of the letters in common.")] = 0.6,
    wait: Wait = 0.0,
    force_unlock: ForceUnlock = False,
    as_json: AsJson = False,
) -> None:
    """Look for utterances that a corpus has twice: encoded again, with noise, at another level, cut elsewhere.

    Nothing is rejected: the groups are in duplicates/groups.parquet. `curation build` with dedup.near=reject leaves out
    all but the first of each.
    """
    from dataclasses import asdict

    from curation.dedup.find import Limits, find

    report = find(output, Limits(codes, rhythm_ms, speed, voice, words), wait_seconds=wait, force_unlock=force_unlock)
    if as_json:
        print_json(asdict(report))
    else:
        _print(report, output)


def _print(report: "Report", output: str) -> None:
    from curation.cli.questions.answers import console, safe
    from curation.cli.tables import hours
    from curation.core.counts import counted

    out = console()
    for example in reversed(report.examples):
        more = example["utterances"] - len(example["shown"])
        out.print(f"group {example['group']}, {counted(example['utterances'], 'utterance')}")
        for row in example["shown"]:
            out.print(safe(f"  {row['utterance']}"))
            out.print(safe(f"    {_said(row)}"), overflow="ellipsis", no_wrap=True)
        if more:
            out.print(f"  and {more} more")
    found = f"{counted(report.groups, 'group')} in {report.utterances:,} utterances"
    out.print(f"{found}: {counted(report.others, 'utterance')}, {hours(report.seconds)}, that the corpus has already")
    where = f"{output}/duplicates/groups.parquet has them, report.json beside it the examples"
    out.print(where, soft_wrap=True)


def _said(row: Mapping[str, Any]) -> str:
    scores = [f"{name} {row[name]:.2f}" for name in ("codes", "voice", "words") if row[name] is not None]
    if row["rhythm_ms"] is not None:
        scores.append(f"rhythm {row['rhythm_ms']:.0f} ms at {row['speed']:.2f}")
    return f"{row['seconds']:.1f} s, {', '.join(scores)}: {row['text']}"
