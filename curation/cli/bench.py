"""Measurements of a trained model."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from curation.cli.infer import Checkpoint, Device, explained
from curation.cli.options import AsJson, errors_explained, table_console

if TYPE_CHECKING:
    from rich.table import Table

    from curation.train.evaluate.serving import Load

SPEECH = "pkg:moonshine_voice:assets/beckett.wav"
"""Ten seconds of speech that an installed package carries."""


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Measure how fast a trained model serves.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command()(serve)
    app.add_typer(group, name="bench")


def serve(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    *,
    concurrency: Annotated[str, typer.Option(help="numbers of clients, separated by commas")] = "1,5,10,20,40",
    rounds: Annotated[int, typer.Option(min=1, help="requests of each client, one after the other")] = 2,
    voice: Annotated[str, typer.Option(metavar="REF", help="recording of the voice; default: a shipped one")] = "",
    audio: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="recording to transcribe (repeatable); default: a shipped one"),
    ] = None,
    look_ahead: Annotated[
        int | None, typer.Option(min=0, help="tokens (20 ms) that must follow what is spoken; default: exact speech")
    ] = None,
    slots: Annotated[int, typer.Option(min=1, help="requests that the model works on at once")] = 40,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Time to the first chunk and real-time factor of speech, time to the first and last text of transcription."""
    with errors_explained(), explained():
        from curation.models.store import resolve
        from curation.train.evaluate import serving as serve_bench
        from curation.train.infer.files import read_wave
        from curation.train.infer.speech_model import SpeechModel
        from curation.train.infer.streaming import Chunking

        counts = [int(number) for number in concurrency.split(",")]
        model = SpeechModel.open(checkpoint, device=device, slots=slots)
        shipped = str(resolve(SPEECH))
        waves = [read_wave(path) for path in audio or [shipped]]
        speaker, chunking = model.voice(read_wave(voice or shipped)), Chunking(look_ahead=look_ahead)
        serve_bench.serve_transcription(model, waves, 1, 1)  # loads what loads late
        serve_bench.serve_speech(model, speaker, 1, 1, chunking, ["Yes."])
        speech = [serve_bench.serve_speech(model, speaker, count, rounds, chunking) for count in counts]
        text = [serve_bench.serve_transcription(model, waves, count, rounds) for count in counts]
        about = serve_bench.describe(model)
    if as_json:
        tables = {"model": about, "speech": [asdict(load) for load in speech], "text": [asdict(load) for load in text]}
        typer.echo(json.dumps(tables, indent=2))
        return
    out = table_console()
    out.print(", ".join(f"{name} {value}" for name, value in about.items()), highlight=False)
    out.print(_table("Speech, streamed", speech), crop=False)
    out.print(_table("Transcription, streamed", text), crop=False)


def _table(title: str, loads: "list[Load]") -> "Table":
    from rich.table import Table

    table = Table("concurrency", "requests", title=title, title_justify="left")
    for name in loads[0].figures:
        for column in ("mean", "p50", "p99"):
            table.add_column(f"{name.replace('_', ' ')} {column}", justify="right")
    for load in loads:
        digits = {name: 3 if name == "real_time_factor" else 0 for name in load.figures}
        values = [f"{v:.{digits[name]}f}" for name, f in load.figures.items() for v in (f.mean, f.p50, f.p99)]
        empty = f" ({load.empty} empty)" if load.empty else ""
        table.add_row(str(load.concurrency), f"{load.requests}{empty}", *values)
    return table
