"""`curation train` and `curation posttrain`: from shards to a checkpoint; `curation gguf`: that for llama.cpp."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from curation.cli.checkpoints import Checkpoint
from curation.cli.options import ConfigFile, Overrides, console, marked

if TYPE_CHECKING:
    from curation.train.run import Trained


def train(
    shards: Annotated[
        str, typer.Argument(metavar="SHARDS", help="A finished build, its folder of shards, or a generation (OUT@2).")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="RUN", file_okay=False, help="Folder of the training run.")
    ],
    config: ConfigFile = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
) -> None:
    """Train a model on shards, or resume an interrupted run.

    A resumed run keeps its settings; --config and --set change them. For several processes start it with
    `torchrun -m curation train …`, or set ray.workers. SIGTERM ends the run after the step at work, with a checkpoint
    and exit code 143.
    """
    from curation.train.config import load_training_config
    from curation.train.run import settings_of

    settings = load_training_config(config, overrides=overrides, base=settings_of(output))
    _end(_run(shards, output, settings), output)


def posttrain(
    shards: Annotated[
        str, typer.Argument(metavar="SHARDS", help="A finished build, its folder of shards, or a generation (OUT@2).")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="RUN", file_okay=False, help="Folder of the run.")],
    config: ConfigFile = None,
    overrides: Overrides = [],  # noqa: B006 - typer copies it
) -> None:
    """Let a model learn from what judges say of its own answers, or resume an interrupted run.

    Prompts come from the shards; speech is judged by a recogniser and a speaker encoder, recognised text by the
    corpus's. Set model.start_from to the model; the section posttrain has the rest. The result is a checkpoint like
    any other.
    """
    from curation.cli.progress import PosttrainProgress
    from curation.train.config import load_training_config
    from curation.train.posttrain.run import posttrain_run
    from curation.train.run import settings_of

    base = {"phase": "posttrain", **settings_of(output)}
    settings = load_training_config(config, overrides=overrides, base=base)
    with PosttrainProgress(console, settings.run.steps) as progress:
        done = posttrain_run(shards, output, settings, progress.on_step)
    _end(done, output)


def gguf(
    checkpoint: Checkpoint,
    output: Annotated[Path, typer.Argument(metavar="OUT.gguf", help="The file; an earlier one is replaced.")],
    *,
    kind: Annotated[
        Literal["f32", "f16", "q8_0"],
        typer.Option("--type", metavar="TYPE", help="How matrices are stored: f32, f16 or q8_0 (8 bits)."),
    ] = "f16",
) -> None:
    """Write the language model of a checkpoint as a GGUF file, for llama.cpp.

    Its prompts and answers are ids: the speech tokenizers stay with the checkpoint. Needs
    `pip install 'curation[gguf]'`.
    """
    from curation.train.gguf import write_gguf

    write_gguf(checkpoint, output, kind)
    typer.echo(output)


def _run(shards: str, output: Path, settings: Any) -> "Trained":
    from curation.cli.progress import TrainProgress

    if settings.ray.workers:
        from curation.train.ray import train_on_ray as train_run
    else:
        from curation.train.run import train_run
    with TrainProgress(console, settings.run.steps) as progress:
        return train_run(shards, output, settings, progress.on_step)


def _end(done: "Trained", output: Path) -> None:
    """Say where the run stands; a run that was told to end has an exit code of its own."""
    from curation.train.loop.stopping import EXIT_CODE

    if os.environ.get("RANK", "0") == "0":
        _print_end(done, output)
    if done.stopped:
        raise typer.Exit(EXIT_CODE)


def _print_end(done: "Trained", output: Path) -> None:
    console.print(f"step {done.step}: {done.checkpoint or 'nothing was trained'}", soft_wrap=True)
    if done.stopped:
        console.print("the run was told to end (SIGTERM) and is saved: the same command goes on", soft_wrap=True)
    left_out = sum(done.data.get("over_long", {}).values())
    if left_out:
        what = f"{left_out} samples were longer than data.token_budget or data.max_sample_tokens and left out"
        text = marked(what, f"(the longest has {done.data['longest']} tokens)", "yellow")
        console.print(text, soft_wrap=True)
    console.print(f"curves: tensorboard --logdir {output}", soft_wrap=True)
