"""Options of the commands that run a trained model, and how they open it."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.train.infer.preparation import Prepare
    from curation.train.infer.sampling import Sampling
    from curation.train.infer.speech_model import SpeechModel

Checkpoint = Annotated[
    Path, typer.Argument(metavar="CHECKPOINT", help="Checkpoint folder, training run or official model.")
]
Device = Annotated[str, typer.Option("--device", metavar="NAME", help="Where the model runs: cpu, cuda, cuda:1, …")]
Int8 = Annotated[
    bool,
    typer.Option("--int8", help="Weights in 8 bits: two to three times as fast on a CPU, and slightly less exact."),
]
EngineUrl = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="URL",
        help="Address of a `vllm serve` of the checkpoint, which generates instead of this process.",
        show_default=False,
    ),
]
FirstLookAhead = Annotated[
    int | None,
    typer.Option(
        "--first-look-ahead",
        metavar="N",
        min=0,
        help="Tokens (20 ms each) that must follow those of the first chunk of speech; fewer begin earlier.",
        show_default="what the codec advises",
    ),
]
Prepared = Annotated[
    bool | None,
    typer.Option(
        "--prepare/--raw",
        help="Denoise and trim recordings as a build does, or use them as they are.",
        show_default="as the checkpoint was trained",
    ),
]
Temperature = Annotated[
    float, typer.Option("--temperature", min=0, metavar="T", help="Sampling temperature; 0: the most probable token.")
]
TopP = Annotated[
    float,
    typer.Option("--top-p", metavar="P", help="Sample among the most probable tokens that sum to P (above 0, to 1)."),
]
Penalty = Annotated[
    float | None,
    typer.Option(
        "--repetition-penalty",
        metavar="X",
        help="Divide the scores of tokens that occurred already by X; 1: no penalty.",
        show_default="1.2 with 8192 semantic codes, else 1",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the sampling.")]


def sampling_of(
    temperature: float, top_p: float, repetition_penalty: float | None, seed: int
) -> "Callable[[SpeechModel], Sampling]":
    """How a model will sample speech, with its own penalty where None is given. Raises ConfigError at once, so that
    no model is opened for a wrong option.
    """
    from curation.train.infer.sampling import Sampling

    given = Sampling(temperature, top_p, 1.0 if repetition_penalty is None else repetition_penalty, seed)
    if repetition_penalty is not None:
        return lambda _: given
    return lambda model: replace(given, repetition_penalty=model.sampling.repetition_penalty)


def open_model(
    checkpoint: Path,
    device: str,
    *,
    slots: int = 16,
    prepare: bool | None = None,
    int8: bool = False,
    engine: str = "",
) -> "SpeechModel":
    """Open a checkpoint. `prepare`: as builds do, not at all, or (None) as the checkpoint says. Raises UserError."""
    from curation.train.infer.speech_model import SpeechModel

    check_device(device)
    how = _preparation(prepare=prepare)
    dtype = "int8" if int8 else ""
    return SpeechModel.open(checkpoint, device=device, dtype=dtype, slots=slots, prepare=how, engine=engine)


def check_device(device: str) -> None:
    """Raise ConfigError for a device that torch does not have here."""
    import torch

    from curation.core.errors import ConfigError

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        msg = f"--device {device}: not available ({reason}): use cpu, or a machine with a GPU and a CUDA build of torch"
        raise ConfigError(msg) from error


def _preparation(*, prepare: bool | None) -> "Prepare | None":
    from curation.train.infer.preparation import Preparation, scaled

    if prepare is None:
        return None
    return Preparation() if prepare else scaled
