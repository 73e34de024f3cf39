"""Before a build: `curation doctor` checks what it needs, `curation plan` estimates what it takes."""

from typing import TYPE_CHECKING, Annotated

import typer

from curation.cli.options import EXIT_ERROR, AsJson, ConfigFile, Overrides, Preset, marked, print_json, table_console

if TYPE_CHECKING:
    from curation.preflight.estimate import BuildPlan, Machines, StagePlan


def doctor(
    *,
    config: ConfigFile = None,
    preset: Preset = "offline",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="OUT", help="Where the build would go, to check its store and space."),
    ] = ".",
) -> None:
    """Check models, packages, CPUs, GPUs, memory and disk.

    Prints a remedy for everything that a build lacks. Exit code 1 if it lacks anything.
    """
    from curation.cli.tables import print_checks
    from curation.pipeline.config import load_config
    from curation.preflight.doctor import examine

    checks = examine(load_config(config, preset=preset, overrides=overrides), output)
    print_checks(checks)
    if not all(check.ok for check in checks):
        raise typer.Exit(EXIT_ERROR)


def plan(  # noqa: PLR0913 - each is an option of the command
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="YAML file with settings, as --config.", show_default=False),
    ] = None,
    *,
    config_file: ConfigFile = None,
    preset: Preset = "offline",
    overrides: Overrides = [],  # noqa: B006 - typer copies it
    cpus: Annotated[
        float | None, typer.Option(metavar="N", help="CPUs of the cluster.", show_default="of this machine")
    ] = None,
    gpus: Annotated[
        float | None, typer.Option(metavar="N", help="GPUs of the cluster.", show_default="of this machine")
    ] = None,
    gpu_gib: Annotated[
        float | None, typer.Option(metavar="GIB", help="Memory of each GPU.", show_default="of this machine's, or 24")
    ] = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate/--no-calibrate", help="Measure the speed of each stage on this machine.")
    ] = True,
    sample: Annotated[
        list[str],
        typer.Option(
            metavar="FILE", help="Recording to measure with (repeatable).", show_default="a minute of packaged speech"
        ),
    ] = [],  # noqa: B006 - typer copies it
    as_json: AsJson = False,
) -> None:
    """Estimate workers, memory and hours per 1,000 hours of speech.

    Exit code 1 if the configuration does not fit the machines.
    """
    from curation.core.errors import ConfigError
    from curation.pipeline.config import load_config
    from curation.preflight.estimate import make_plan

    if config and config_file:
        msg = f"two files with settings, {config} and --config {config_file}: give one of them"
        raise ConfigError(msg)
    settings = load_config(config or config_file, preset=preset, overrides=overrides)
    made = make_plan(settings, _machines(cpus, gpus, gpu_gib), calibrate=calibrate, samples=sample)
    if as_json:
        print_json(made.to_json())
    else:
        _print(made)
    if made.problems:
        raise typer.Exit(EXIT_ERROR)


def _machines(cpus: float | None, gpus: float | None, gpu_gib: float | None) -> "Machines":
    from curation.core.machine import allowed_cpus, free_memory
    from curation.preflight.estimate import Machines

    if gpus is None or gpu_gib is None:
        import torch

        here = torch.cuda.device_count() if torch.cuda.is_available() else 0
        gpus = here if gpus is None else gpus
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30 if here else 24.0
        gpu_gib = memory if gpu_gib is None else gpu_gib
    memory_gib = None if cpus else free_memory() / 2**30
    return Machines(cpus or allowed_cpus(), gpus, gpu_gib, memory_gib)


def _print(made: "BuildPlan") -> None:
    from rich.table import Table

    from curation.core.counts import counted
    from curation.preflight.estimate import needed_gib

    console = table_console()
    table = Table("stage", "on", "adapters", "models", title_justify="left")
    for name in ("GiB", "x real time"):
        table.add_column(name, justify="right")
    for stage in made.stages:
        sizes = [item.gib for item in stage.models if item.gib is not None]
        size = f"{sum(sizes):.2f}" if sizes else ""
        factor = "" if stage.factor is None else f"{stage.factor:.4f}"
        table.add_row(stage.name, stage.device, ", ".join(stage.adapters), _models(stage), size, factor)
    console.print(table, crop=False)
    machines, workers = made.machines, counted(made.workers, "worker")
    if made.pools:
        origin = "declared, see the pools"
    elif made.worker_gib:
        origin = f"{made.worker_gib:.1f} GiB measured for one worker"
    else:
        origin = f"{made.declared_gib:.1f} GiB declared for each worker"
    lines = [
        f"{machines.cpus:g} CPUs, {machines.gpus:g} GPUs",
        f"{workers}, each with all models, {made.worker_cpus:g} CPUs and {made.worker_gpus:g} GPUs"
        if not made.pools
        else f"{workers} in {len(made.pools)} pools"
        + (f", the slowest is {made.slowest_pool}" * bool(made.slowest_pool)),
        f"memory: about {needed_gib(made):.1f} GiB ({origin}), {made.limit_gib:.0f} GiB at most",
    ]
    if made.worker_gpus and not made.pools:
        lines.append(f"GPU memory: about {made.worker_gpu_gib:.1f} GiB for each worker, of {machines.gpu_gib:g} GiB")
    lines.append(f"calibration: {made.calibration}")
    if made.hours_per_1000 is not None:
        lines.append(f"1,000 hours of speech: about {made.hours_per_1000:.1f} hours, on CPUs like the ones here")
    lines.append(f"10 million recordings, 100,000 hours: at most {made.staging_files:,} staging files")
    if made.pools:
        _print_pools(made)
    for line in lines:
        console.print(line)
    for note in made.notes:
        console.print(f"note: {note}")
    for problem in made.problems:
        console.print(marked("problem:", problem))


def _print_pools(made: "BuildPlan") -> None:
    from rich.table import Table

    table = Table("pool", "stages", title_justify="left")
    for name in ("workers", "CPUs", "GPUs", "GiB", "x real time"):
        table.add_column(name, justify="right")
    for pool in made.pools:
        figures = [f"{pool.workers}", f"{pool.cpus:g}", f"{pool.gpus:.3g}", f"{pool.memory_gib:.1f}"]
        factor = "" if pool.factor is None else f"{pool.factor:.4f}"
        table.add_row(pool.name, ", ".join(pool.stages), *figures, factor)
    table_console().print(table, crop=False)


def _models(stage: "StagePlan") -> str:
    return ", ".join(item.reference + ("" if item.here else " (not here)") for item in stage.models)
