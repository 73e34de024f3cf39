"""The commands that run a trained model: transcribe, speak, convert."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.cli.options import (
    EXIT_ERROR,
    EXIT_USAGE,
    AsJson,
    Penalty,
    Prepared,
    Seed,
    Temperature,
    TopP,
    console,
    errors_explained,
    preparation,
    sampling_of,
)

if TYPE_CHECKING:
    from curation.train.infer.speech_model import SpeechModel

Checkpoint = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="folder of a trained or an official model")]
Voice = Annotated[str, typer.Option("--voice", metavar="REF", help="recording of the voice, a few seconds, any format")]
Out = Annotated[
    Path, typer.Option("--output", "-o", metavar="OUT", help="audio file (.wav, .flac, .ogg); with --manifest a folder")
]
Stream = Annotated[bool, typer.Option("--stream", help="give out what there is as soon as it is there")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, ...")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="how many run at once")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(transcribe)
    app.command()(speak)
    app.command()(convert)


def transcribe(
    checkpoint: Checkpoint,
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="audio files, folders, globs or manifests")],
    *,
    stream: Stream = False,
    as_json: AsJson = False,
    prepare: Prepared = None,
    device: Device = "cpu",
    batch: Batch = 16,
) -> None:
    """Write down what is said in recordings: one line of text, or of JSON, for each."""
    with errors_explained(), explained():
        from curation.manifests.inputs import list_inputs
        from curation.train.infer.files import transcribe_files

        paths = [item.source.path for item in list_inputs(files)]
        model = _open(checkpoint, device, batch, prepare=prepare)
        if stream:
            _transcribe_stream(model, paths)
            return
        failed = 0
        for row in transcribe_files(model, paths, batch):
            failed += "error" in row
            typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    if failed:
        console.print(f"{failed} of {len(paths)} files could not be read", style="red", highlight=False)
        raise typer.Exit(EXIT_ERROR)


def speak(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    text: Annotated[str | None, typer.Argument(metavar="TEXT", help="what to say; - reads standard input")] = None,
    *,
    output: Out,
    voice: Voice = "",
    manifest: Annotated[
        Path | None, typer.Option(help="JSON lines with text, voice and, if you like, id: a file for each into OUT")
    ] = None,
    stream: Stream = False,
    temperature: Temperature = 0.2,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = None,
    seed: Seed = 0,
    prepare: Prepared = None,
    device: Device = "cpu",
    batch: Batch = 16,
) -> None:
    """Say a text in somebody's voice."""
    with errors_explained(), explained():
        from curation.train.infer import files as batch_jobs
        from curation.train.infer.files import read_wave

        words = sys.stdin.read() if text == "-" else text
        jobs = batch_jobs.jobs("text", words, voice, output, manifest)
        model = _open(checkpoint, device, batch, prepare=prepare)
        sampling = sampling_of(model.sampling, temperature, top_p, repetition_penalty, seed)
        if stream:
            for job in jobs:
                batch_jobs.write_stream(job.output, model.speak_stream(job.what, read_wave(job.voice), sampling))
            return
        for path in batch_jobs.speak_files(model, jobs, sampling, batch):
            typer.echo(path)


def convert(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    source: Annotated[str | None, typer.Argument(metavar="SOURCE", help="recording of what is to be said")] = None,
    *,
    output: Out,
    voice: Voice = "",
    manifest: Annotated[
        Path | None, typer.Option(help="JSON lines with source, voice and, if you like, id: a file for each into OUT")
    ] = None,
    stream: Stream = False,
    temperature: Temperature = 0.2,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = None,
    seed: Seed = 0,
    prepare: Prepared = None,
    device: Device = "cpu",
    batch: Batch = 16,
) -> None:
    """Say what a recording says in somebody else's voice."""
    with errors_explained(), explained():
        from curation.train.infer import files as batch_jobs
        from curation.train.infer.files import read_wave

        jobs = batch_jobs.jobs("source", source, voice, output, manifest)
        model = _open(checkpoint, device, batch, prepare=prepare)
        sampling = sampling_of(model.sampling, temperature, top_p, repetition_penalty, seed)
        if stream:
            for job in jobs:
                waves = read_wave(job.what), read_wave(job.voice)
                batch_jobs.write_stream(job.output, model.convert_stream(*waves, sampling))
            return
        for path in batch_jobs.convert_files(model, jobs, sampling, batch):
            typer.echo(path)


def _transcribe_stream(model: "SpeechModel", paths: list[str]) -> None:
    from curation.train.infer.files import read_wave

    for path in paths:
        for piece in model.transcribe_stream(read_wave(path)):
            typer.echo(piece, nl=False)
        typer.echo()


def _line(row: dict[str, Any]) -> str:
    return f"{row['path']}\t{row['text']}" if "text" in row else f"{row['path']}\terror: {row['error']}"


def _open(checkpoint: Path, device: str, slots: int, *, prepare: bool | None) -> "SpeechModel":
    from curation.train.infer.speech_model import SpeechModel

    return SpeechModel.open(checkpoint, device=device, slots=slots, prepare=preparation(prepare=prepare))


@contextmanager
def explained() -> Iterator[None]:
    """Folders that lack something, and clips without tokens, are errors of users too."""
    try:
        yield
    except ValueError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        raise typer.Exit(EXIT_USAGE) from None
