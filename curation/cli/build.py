"""`curation build` and the commands that look at a build: status, summary, schema."""

from typing import Annotated

import typer

from curation.cli.options import (
    EXIT_FAILURES,
    AsJson,
    ConfigFile,
    ForceUnlock,
    Output,
    Overrides,
    Preset,
    Wait,
    console,
    marked,
    print_json,
)


def build(  # noqa: PLR0913 - each is an option of the command
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUTS",
            help="Files, folders, globs, manifests (.jsonl, .json, .csv, .tsv, .parquet), corpora (librispeech:, "
            "kaldi:, lhotse:, nemo:, commonvoice:, hf:, emilia:) or fsspec URLs of these; without any, the recordings "
            "that OUT knows.",
            show_default=False,
        ),
    ] = None,
    *,
    output: Annotated[str, typer.Option("--output", "-o", metavar="OUT", help="Folder or fsspec URL of the build.")],
    config: ConfigFile = None,
    preset: Preset = "offline",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Process failed recordings again.")] = False,
    wait: Wait = 0.0,
    force_unlock: ForceUnlock = False,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Serve live figures there for Prometheus; without HOST, for this machine only.",
            show_default=False,
        ),
    ] = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Start Ray's dashboard, and print its address: engine.dashboard.")
    ] = False,
    require_licence: Annotated[
        bool, typer.Option("--require-licence", help="Refuse recordings of unknown licence: inputs.require_licence.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Label recordings, publish shards, account for every second.

    Run it again to resume after an interruption, to append recordings, or, with other thresholds, to publish again
    without running the models. Exit code 3: more recordings failed than engine.max_failed_fraction allows.
    """
    from curation.cli.progress import BuildProgress
    from curation.cli.tables import print_summary
    from curation.pipeline.config import load_config
    from curation.pipeline.run import build as run_build

    switches = {"engine.dashboard=true": dashboard, "inputs.require_licence=true": require_licence}
    overrides = [*overrides, *(setting for setting, wanted in switches.items() if wanted)]
    settings = load_config(config, preset=preset, overrides=overrides)
    with BuildProgress(console) as progress:
        summary = run_build(
            settings,
            inputs or [],
            output,
            retry_failed=retry_failed,
            on_progress=progress.on_progress,
            wait_seconds=wait,
            force_unlock=force_unlock,
            metrics=metrics,
        )
    print_summary(summary, output, as_json=as_json)
    if summary.failed_fraction > settings.engine.max_failed_fraction:
        text = (
            f"more than engine.max_failed_fraction = {settings.engine.max_failed_fraction:g}: the ledger has the "
            f"reasons; fix them and run again with --retry-failed"
        )
        failed = f"{summary.failed_recordings} of {summary.recordings} recordings failed,"
        console.print(marked(failed, text), soft_wrap=True)
        raise typer.Exit(EXIT_FAILURES)


def status(output: Output, *, as_json: AsJson = False) -> None:
    """Show the progress of a build, running or stopped."""
    from curation.cli.tables import print_status
    from curation.core.storage import Storage
    from curation.pipeline.run import build_state

    state = build_state(Storage(output))
    if as_json:
        print_json(state.to_json())
    else:
        print_status(state)


def summary(output: Output, *, as_json: AsJson = False) -> None:
    """Show the accounting of a finished build."""
    from curation.cli.tables import print_summary
    from curation.core.storage import Storage
    from curation.manifests.summary import read_summary

    found = read_summary(Storage(output))
    print_summary(found, output, as_json=as_json)


def schema(*, as_json: AsJson = False) -> None:
    """Show the columns of shards and ledger, and the scores and notes of the stages."""
    from curation.cli.tables import print_schema, schema_rows

    if as_json:
        print_json(schema_rows())
    else:
        print_schema()
