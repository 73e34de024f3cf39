"""`curation audit`: a page on which a corpus is seen, heard and questioned."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from curation.cli.options import AsJson, console, print_json


def audit(
    corpus: Annotated[str, typer.Argument(metavar="CORPUS", help="Folder or fsspec URL of a published build.")],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the page is written.")],
    per_reason: Annotated[
        int, typer.Option(min=1, metavar="N", help="Segments of each reason that can be read and heard.")
    ] = 500,
    audio: Annotated[
        Literal["opus", "flac", "none"], typer.Option(help="Format of the cuts; none: the page is silent.")
    ] = "opus",
    seed: Annotated[int, typer.Option(metavar="N", help="Of the random sample.")] = 0,
    share: Annotated[
        bool,
        typer.Option("--share", help="To give away: without voices, paths and names of speakers; ids remain."),
    ] = False,
    against: Annotated[
        str | None, typer.Option(metavar="OTHER", help="Show what changed since this build.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a page that opens from a folder, without a server or a network."""
    from curation.audit.page.write import PageOptions, write_page
    from curation.core.storage import Storage

    written = write_page(Storage(corpus), output, PageOptions(per_reason, audio, seed, share, against))
    link = (output.resolve() / "index.html").as_uri()
    if written.sources_missing:
        console.print(f"{written.sources_missing} cuts without their recording: it is not there, or cannot be read")
    if as_json:
        print_json({"link": link, **asdict(written)})
    else:
        typer.echo(f"{written.rows:,} segments, {written.bytes / 1e6:.1f} MB: {link}")
