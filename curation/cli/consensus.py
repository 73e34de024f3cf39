"""`curation consensus`: learn from utterances with known text how far hypotheses can be trusted."""

import json
from pathlib import Path
from typing import Annotated

import typer

from curation.cli.options import AsJson, Output, console, errors_explained

consensus_app = typer.Typer(
    help="Learn from labelled utterances how far the systems can be trusted.", no_args_is_help=True
)
Transcripts = Annotated[
    Path | None,
    typer.Option(
        help=".stm, or .csv / .jsonl with the columns id (of the utterance) and text; default: the manifest's "
        "transcripts of recordings that are one utterance"
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(consensus_app, name="consensus")


@consensus_app.callback()
def _group() -> None:
    """Keep `fit` a command of its own."""


@consensus_app.command("fit")
def consensus_fit(
    build_folder: Output,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="where the calibration goes (JSON)")],
    transcripts: Transcripts = None,
    as_json: AsJson = False,
) -> None:
    """Fit the weights of the systems and the calibrated confidence to labelled utterances of a build, and show how
    they do on speakers that they were not fitted to. Use the file with --set consensus.calibration=path:FILE.
    """
    from curation.fit.consensus_report import fit_on_build, print_report

    with errors_explained():
        report = fit_on_build(build_folder, transcripts, output)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        print_report(report)
    console.print(f"wrote {output}; use it with --set consensus.calibration=path:{output}", highlight=False)
