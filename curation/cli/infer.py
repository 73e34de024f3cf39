"""The commands that run a trained model: transcribe, speak, convert."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from curation.cli.checkpoints import (
    Checkpoint,
    Device,
    EngineUrl,
    Int8,
    Penalty,
    Prepared,
    Seed,
    Temperature,
    TopP,
    open_model,
    sampling_of,
)
from curation.cli.options import EXIT_ERROR, AsJson, console

if TYPE_CHECKING:
    from curation.train.infer.speech_model import SpeechModel

Voice = Annotated[
    str,
    typer.Option("--voice", metavar="FILE", help="Recording of the voice, a few seconds long.", show_default=False),
]
Out = Annotated[
    Path,
    typer.Option(
        "--output", "-o", metavar="OUT", help="Audio file (.wav, .flac, .ogg); with --manifest, a folder of .wav files."
    ),
]
Stream = Annotated[bool, typer.Option("--stream", help="Write output while it is generated.")]
Batch = Annotated[int, typer.Option("--batch", metavar="N", min=1, help="Requests that run at once.")]


def transcribe(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    files: Annotated[list[str], typer.Argument(metavar="FILES", help="Audio files, folders, globs or manifests.")],
    *,
    stream: Stream = False,
    as_json: AsJson = False,
    prepare: Prepared = None,
    device: Device = "cpu",
    int8: Int8 = False,
    engine: EngineUrl = "",
    batch: Batch = 16,
) -> None:
    """Transcribe recordings.

    Prints a line for each file: path, tab, text; with --json an object with path, seconds, text and complete (false
    where the text reached its length limit). Files that cannot be read have an error instead, and the exit code is 1.
    """
    from curation.manifests.inputs.listing import list_inputs
    from curation.train.infer.files import transcribe_files

    paths = [item.source.path for item in list_inputs(files)]
    model = open_model(checkpoint, device, slots=batch, prepare=prepare, int8=int8, engine=engine)
    if stream:
        _transcribe_stream(model, paths)
        return
    failed = 0
    for row in transcribe_files(model, paths, batch):
        failed += "error" in row
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    if failed:
        console.print(f"{failed} of {len(paths)} files could not be read", style="red")
        raise typer.Exit(EXIT_ERROR)


def speak(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="Text to speak; - reads standard input.", show_default=False),
    ] = None,
    *,
    output: Out,
    voice: Voice = "",
    voice_text: Annotated[
        str,
        typer.Option(
            "--voice-text",
            metavar="TEXT",
            help="What the recording of the voice says: speech goes on from it, which keeps its accent.",
            show_default=False,
        ),
    ] = "",
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines with text, and where wanted voice, voice_text, language and id: one file per line.",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option(
            "--language",
            metavar="CODE",
            help="How numbers and abbreviations are read: en, zh, ja; others are spoken as they are written.",
            show_default="by the script, Latin letters as English",
        ),
    ] = "",
    stream: Stream = False,
    temperature: Temperature = 0.2,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = None,
    seed: Seed = 0,
    prepare: Prepared = None,
    device: Device = "cpu",
    int8: Int8 = False,
    engine: EngineUrl = "",
    batch: Batch = 16,
) -> None:
    """Synthesize speech from text in the voice of a recording."""
    from curation.train.infer import files

    words = sys.stdin.read() if text == "-" else text
    jobs = files.jobs("text", words, voice, output, manifest, language, voice_text)
    sampling_for = sampling_of(temperature, top_p, repetition_penalty, seed)
    model = open_model(checkpoint, device, slots=batch, prepare=prepare, int8=int8, engine=engine)
    sampling = sampling_for(model)
    if stream:
        for job in jobs:
            sample = model.voice_sample(files.read_recording(job.voice), job.voice_text)
            files.write_stream(job.output, model.speak_stream(job.what, sample, sampling, language=job.language))
        return
    for path in files.speak_files(model, jobs, sampling, batch):
        typer.echo(path)


def convert(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Recording to convert.", show_default=False)
    ] = None,
    *,
    output: Out,
    voice: Voice = "",
    manifest: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines with source, voice (default: --voice) and id (optional): one file per line.",
            show_default=False,
        ),
    ] = None,
    stream: Stream = False,
    temperature: Temperature = 0.2,
    top_p: TopP = 1.0,
    repetition_penalty: Penalty = None,
    seed: Seed = 0,
    prepare: Prepared = None,
    device: Device = "cpu",
    int8: Int8 = False,
    engine: EngineUrl = "",
    batch: Batch = 16,
) -> None:
    """Convert a recording to the voice of another."""
    from curation.train.infer import files

    jobs = files.jobs("source", source, voice, output, manifest)
    sampling_for = sampling_of(temperature, top_p, repetition_penalty, seed)
    model = open_model(checkpoint, device, slots=batch, prepare=prepare, int8=int8, engine=engine)
    sampling = sampling_for(model)
    if stream:
        for job in jobs:
            waves = files.read_recording(job.what), files.read_recording(job.voice)
            files.write_stream(job.output, model.convert_stream(*waves, sampling))
        return
    for path in files.convert_files(model, jobs, sampling, batch):
        typer.echo(path)


def _transcribe_stream(model: "SpeechModel", paths: list[str]) -> None:
    from curation.train.infer.files import read_recording

    for path in paths:
        for piece in model.transcribe_stream(read_recording(path)):
            typer.echo(piece, nl=False)
        typer.echo()


def _line(row: dict[str, Any]) -> str:
    return f"{row['path']}\t{row['text']}" if "text" in row else f"{row['path']}\terror: {row['error']}"
