"""`curation audit`: a page on which a corpus is seen, heard and questioned, as a folder or from a server; and the share
of wrong utterances, from what people have marked there.
"""

import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import typer
from typer.core import TyperGroup

from curation.cli.options import AsJson, Output, console, print_json


class AuditGroup(TyperGroup):
    """`curation audit CORPUS …` writes the page: what is no name of a command belongs to the default one."""

    default: ClassVar[str] = "page"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the name of the default command before arguments that begin with none."""
        if args and args[0] not in {*self.commands, *ctx.help_option_names}:
            args = [self.default, *args]
        return list(super().parse_args(ctx, args))


group = typer.Typer(name="audit", cls=AuditGroup, no_args_is_help=True)

Corpus = Annotated[str, typer.Argument(metavar="CORPUS", help="Folder or fsspec URL of a published build.")]
PerReason = Annotated[int, typer.Option(min=1, metavar="N", help="Segments of each reason that can be read and heard.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Of the random sample.")]
Against = Annotated[
    str | None, typer.Option(metavar="OTHER", help="Show what changed since this build.", show_default=False)
]
Recordings = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FOLDER",
        help="Folder or URL below which recordings may be opened, to hear them as they were (repeatable).",
        show_default="asks, where it can",
    ),
]


@group.callback()
def _audit() -> None:
    """See, hear and question a corpus: `curation audit CORPUS -o FOLDER` writes a page that opens without a server."""


@group.command()
def page(  # noqa: PLR0913 - the options of a command
    corpus: Corpus,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the page is written.")],
    per_reason: PerReason = 500,
    audio: Annotated[
        Literal["opus", "flac", "none"], typer.Option(help="Format of the cuts; none: the page is silent.")
    ] = "opus",
    recordings: Recordings = None,
    seed: Seed = 0,
    share: Annotated[
        bool,
        typer.Option("--share", help="To give away: without voices, paths and names of speakers; ids remain."),
    ] = False,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Write a page that opens from a folder, without a server or a network."""
    from curation.audit.page.write import PageOptions, write_page
    from curation.core.storage import Storage

    silent = share or audio == "none"
    options = PageOptions(
        per_reason, audio, seed, share, against, recordings=[] if silent else _openable(corpus, recordings)
    )
    written = write_page(Storage(corpus), output, options)
    link = (output.resolve() / "index.html").as_uri()
    if written.sources_missing:
        console.print(f"{written.sources_missing} cuts without their recording: it is not there, or cannot be read")
    if as_json:
        print_json({"link": link, **asdict(written)})
    else:
        typer.echo(f"{written.rows:,} segments, {written.bytes / 1e6:.1f} MB: {link}")


@group.command()
def serve(
    corpus: Corpus,
    *,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0: any free one.")] = 0,
    per_reason: PerReason = 500,
    recordings: Recordings = None,
    seed: Seed = 0,
    against: Against = None,
) -> None:
    """Serve the page to this machine: every segment can be found by SQL and heard, not only the sample.

    For corpora of any size: no audio is cut before it is asked for. Open the link that is printed; Ctrl-C ends it.
    Needs `pip install 'curation[serve]'`.
    """
    from curation.audit.page.write import PageOptions
    from curation.core.errors import ConfigError

    options = PageOptions(per_reason, "opus", seed, against=against, recordings=_openable(corpus, recordings))
    try:
        from curation.audit.serve.listen import listen
    except ModuleNotFoundError as error:
        msg = f"curation audit serve needs the package {error.name}: pip install 'curation[serve]'"
        raise ConfigError(msg) from error
    listen(corpus, options, port, lambda link: typer.echo(f"{link}\nCtrl-C ends the server."))


@group.command()
def estimate(
    output: Output,
    *,
    of: Annotated[str, typer.Option(metavar="NAME", help="kept, or a reason.")] = "kept",
    as_json: AsJson = False,
) -> None:
    """Estimate the share of wrong utterances from the marks of a random sample, with a 95 % interval."""
    from curation.audit.estimate import estimate as share
    from curation.cli.questions.answers import print_estimate
    from curation.core.storage import Storage
    from curation.manifests.marks.files import read

    found = share(read(Storage(output)), of)
    if as_json:
        print_json(found)
    else:
        print_estimate(found)


def _openable(corpus: str, recordings: list[str] | None) -> list[str]:
    """Where recordings may be opened: as given, or as the user answers; nowhere, where nobody can be asked."""
    from curation.audit.corpus import Corpus as Published
    from curation.audit.page.sources import places
    from curation.cli.questions.answers import safe

    if recordings is not None:
        return recordings
    found = places(Published.open(corpus))
    listed = "\n".join(f"  {safe(place)}" for place in found)  # strangers have named them
    options = " ".join(f"--recordings {shlex.quote(str(safe(place)))}" for place in found)
    if not found:
        return []
    if not sys.stdin.isatty():
        console.print(
            f"recordings are not opened, so that only what was published can be heard; to hear them too: {options}",
            soft_wrap=True,
        )
        return []
    console.print(f"The corpus names recordings below\n{listed}", soft_wrap=True)
    return found if typer.confirm("Open them, to hear them as they were?", err=True) else []
