"""`curation tokenizer fit` and `curation consensus fit`: learn from the utterances of a build."""

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.options import AsJson, console, print_json

tokenizer = typer.Typer(name="tokenizer", no_args_is_help=True)
consensus = typer.Typer(name="consensus", no_args_is_help=True)

LabelledBuild = Annotated[str, typer.Argument(metavar="BUILD", help="Folder or fsspec URL of a labelled build.")]


@tokenizer.callback()
def _tokenizer() -> None:
    """Fit the compact speech tokenizers."""


@tokenizer.command("fit")
def fit_tokenizers(
    build: LabelledBuild,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", file_okay=False, help="Where the two files are written.")
    ],
    max_hours: Annotated[
        float, typer.Option(min=0, metavar="HOURS", help="Use at most this much of the kept speech.")
    ] = 2.0,
    steps: Annotated[int, typer.Option(min=1, metavar="N", help="Training steps of the codec.")] = 3000,
    codes: Annotated[
        int,
        typer.Option(
            metavar="N", help="Semantic codes: 256, 1024 or 8192. A model learns few codes from fewer hours of speech."
        ),
    ] = 8192,
) -> None:
    """Fit both compact tokenizers to the kept utterances of a build.

    Use them with --set tokenize.glm=FOLDER --set tokenize.bicodec=FOLDER.
    """
    from curation.cli.progress import FitProgress
    from curation.fit.tokenizers import fit_on_build

    with FitProgress(console) as progress:
        files = fit_on_build(build, output, max_hours=max_hours, steps=steps, codes=codes, on_progress=progress.on_step)
    for file in files:
        typer.echo(file)


@consensus.callback()
def _consensus() -> None:
    """Calibrate the transcript consensus of the ASR systems."""


@consensus.command("fit")
def fit_consensus(
    build: LabelledBuild,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", dir_okay=False, help="Where the calibration is written.")
    ],
    transcripts: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Reference transcripts: .stm, or .csv / .jsonl with the columns id (of the utterance) and text.",
            show_default="the manifest's, of recordings that are one utterance",
        ),
    ] = None,
    marks: Annotated[
        bool,
        typer.Option(
            "--marks",
            help="Take the texts that people marked as right, or wrote, in the random sample of the audit, each for as "
            "many utterances as it stands for. Other marks are not used, and the weights of the systems stay.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit system weights and calibrated confidence to utterances with reference transcripts.

    Prints how both do on speakers that they were not fitted to. Use the file with
    --set consensus.calibration=path:FILE for another build, with --set consensus.recalibration=path:FILE for this one.
    """
    from curation.cli.tables import print_consensus_report
    from curation.fit.consensus_report import fit_on_build

    report = fit_on_build(build, transcripts, output, marks=marks)
    if as_json:
        print_json(report.to_json())
    else:
        print_consensus_report(report)
    setting = "consensus.recalibration" if marks else "consensus.calibration"
    console.print(f"wrote {output}; use it with --set {setting}=path:{output}", soft_wrap=True)
