"""What all commands share: options, exit codes, and errors that are told without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from curation.train.infer.preparation import Prepare
    from curation.train.infer.sampling import Sampling

console = Console(stderr=True)

FILE_WIDTH = 160
"""Of tables in a file, which has no width to keep to: whole figures."""

EXIT_ERROR, EXIT_USAGE, EXIT_FAILURES = 1, 2, 3

Output = Annotated[str, typer.Argument(metavar="OUT", help="folder or fsspec URL of the build")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="YAML file, over the preset")]
Preset = Annotated[str, typer.Option("--preset", "-p", help="offline (models from packages, CPU) or paper (GPU)")]
Overrides = Annotated[
    list[str],
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="change one setting, e.g. consensus.max_pwer=0.1"),
]
Prepared = Annotated[
    bool | None,
    typer.Option(
        "--prepare/--raw",
        help="denoise and trim recordings as builds do, or do not; default: as the checkpoint says",
    ),
]
Temperature = Annotated[float, typer.Option("--temperature", min=0, help="0: always the likeliest token")]
TopP = Annotated[float, typer.Option("--top-p", help="sample among the likeliest that hold this much probability")]
Penalty = Annotated[
    float | None,
    typer.Option(
        "--repetition-penalty",
        help="above 1: what was said becomes less likely; default: 1.2 for models of 8192 semantic codes, else 1",
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="the same seed, the same speech")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on standard output")]


def preparation(*, prepare: bool | None) -> "Prepare | None":
    """What `SpeechModel.open` is told to do to waves."""
    from curation.audio.levels import peak_normalize
    from curation.train.infer.preparation import Preparation

    if prepare is None:
        return None
    return Preparation() if prepare else peak_normalize


def sampling_of(
    default: "Sampling", temperature: float, top_p: float, repetition_penalty: float | None, seed: int
) -> "Sampling":
    """How tokens of speech are chosen; `default` is the model's own way."""
    from curation.core.errors import ConfigError
    from curation.train.infer.sampling import Sampling

    penalty = default.repetition_penalty if repetition_penalty is None else repetition_penalty
    try:
        return Sampling(temperature, top_p, penalty, seed)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def table_console() -> Console:
    """Standard output for wide tables."""
    out = Console(soft_wrap=True)
    return out if out.is_terminal else Console(soft_wrap=True, width=FILE_WIDTH)


@contextmanager
def errors_explained() -> Iterator[None]:
    """Errors of users end with their message, not with a traceback."""
    from curation.core.errors import ConfigError, LockError, ModelError

    try:
        yield
    except ConfigError as error:
        console.print(f"[red]error:[/] {_plain(error)}", highlight=False)
        raise typer.Exit(EXIT_USAGE) from None
    except (ModelError, LockError) as error:
        console.print(f"[red]error:[/] {_plain(error)}", highlight=False)
        raise typer.Exit(EXIT_ERROR) from None


def _plain(error: Exception) -> str:
    from rich.markup import escape

    return escape(str(error))
