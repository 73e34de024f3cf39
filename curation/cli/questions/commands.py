"""Questions about a published corpus: why, whatif, sample, top, diff, sql."""

from typing import Annotated, Literal

import typer

from curation.cli.options import AsJson, Output, print_json

Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", "-s", metavar="SECTION.KEY=VALUE", help="Another threshold (repeatable).", show_default=False
    ),
]


def why(
    output: Output,
    what: Annotated[
        str, typer.Argument(metavar="ID|FILE@TIME", help="An utterance, or a place in a recording: talk.wav@12.3s.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show why an utterance is kept or not: every threshold, its scores, text and hypotheses."""
    from curation.audit.corpus import Corpus
    from curation.audit.why import why as explain
    from curation.cli.questions.answers import print_why

    found = explain(Corpus.open(output), what)
    if as_json:
        print_json(found)
    else:
        print_why(found)


def whatif(output: Output, *, overrides: Overrides, as_json: AsJson = False) -> None:
    """Show the hours that other thresholds would keep, by reason and language, without publishing.

    Only thresholds can be tried: the reference of scores lists them. All else needs a new build.
    """
    from curation.audit.whatif import what_if
    from curation.cli.questions.answers import print_whatif

    found = what_if(output, overrides).to_json()
    if as_json:
        print_json(found)
    else:
        print_whatif(found)


def sample(
    output: Output,
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, metavar="N", help="How many.")] = 20,
    status: Annotated[
        str | None, typer.Option(metavar="NAME", help="kept, rejected or failed.", show_default=False)
    ] = None,
    reason: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of these rejects, as in the ledger.", show_default=False)
    ] = None,
    language: Annotated[str | None, typer.Option(metavar="CODE", help="ISO 639-1.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Another seed gives another sample.")] = 0,
    sort: Annotated[
        Literal["random", "disagreement"], typer.Option(help="disagreement: those of which the systems differ most.")
    ] = "random",
    as_json: AsJson = False,
) -> None:
    """Show a random sample of utterances, with the number that each stands for."""
    from curation.audit.corpus import Corpus
    from curation.audit.sample import Filter
    from curation.audit.sample import sample as draw
    from curation.cli.questions.answers import print_sample

    found = draw(Corpus.open(output), Filter(status, reason, language), count, seed=seed, sort=sort)
    if as_json:
        print_json(found)
    else:
        print_sample(found)


def top(
    output: Output,
    kind: Annotated[
        Literal["speakers", "recordings", "languages"],
        typer.Argument(metavar="KIND", help="speakers, recordings or languages."),
    ],
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, metavar="N", help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show who or what has most of the kept hours."""
    from curation.audit.corpus import Corpus
    from curation.audit.top import top as most
    from curation.cli.questions.answers import print_top

    found = most(Corpus.open(output), kind, count)
    if as_json:
        print_json(found)
    else:
        print_top(found)


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A published build.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one of the same recordings.")],
    *,
    examples: Annotated[int, typer.Option(min=0, metavar="N", help="Changed texts that are shown.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Compare two builds: changed verdicts with their hours, changed texts and scores."""
    from curation.audit.diff import diff as compare
    from curation.cli.questions.answers import print_diff

    found = compare(first, second, examples=examples)
    if as_json:
        print_json(found)
    else:
        print_diff(found)


def sql(
    output: Output,
    query: Annotated[str, typer.Argument(metavar="SELECT", help="Over the tables segments and ledger.")],
    *,
    count: Annotated[int, typer.Option("--count", "-n", min=1, metavar="N", help="Rows at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Ask a corpus in SQL (DuckDB): of the files that its index names, and of no other file.

    The columns are in the reference; `DESCRIBE segments` lists them.
    """
    from dataclasses import asdict

    from curation.audit.corpus import Corpus
    from curation.audit.sql import Limits, answer
    from curation.cli.questions.answers import print_answer

    found = asdict(answer(Corpus.open(output), query, Limits(rows=count, seconds=3600.0)))
    if as_json:
        print_json(found)
    else:
        print_answer(found)
