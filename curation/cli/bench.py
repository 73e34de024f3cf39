"""`curation bench`: how fast a trained model serves."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from curation.cli.checkpoints import Checkpoint, Device, EngineUrl, FirstLookAhead, Int8, open_model
from curation.cli.options import AsJson, print_json, table_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from curation.train.evaluate.serving import Column, Load

group = typer.Typer(name="bench", no_args_is_help=True)


@group.callback()
def _bench() -> None:
    """Measure how fast a trained model serves."""


@group.command()
def serve(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    *,
    concurrency: Annotated[
        str, typer.Option(metavar="LIST", help="Numbers of concurrent clients, separated by commas.")
    ] = "1,5,10,20,40",
    rounds: Annotated[int, typer.Option(metavar="N", min=1, help="Consecutive requests per client.")] = 2,
    voice: Annotated[
        str, typer.Option(metavar="FILE", help="Recording of the voice.", show_default="a packaged recording")
    ] = "",
    audio: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Recording to transcribe (repeatable).", show_default="a packaged recording"),
    ] = None,
    look_ahead: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Tokens (20 ms each) that must follow before a token is decoded.",
            show_default="all that change the sound",
        ),
    ] = None,
    first_look_ahead: FirstLookAhead = None,
    slots: Annotated[int, typer.Option(metavar="N", min=1, help="Requests that the model runs at once.")] = 40,
    device: Device = "cpu",
    int8: Int8 = False,
    engine: EngineUrl = "",
    as_json: AsJson = False,
) -> None:
    """Measure latency and real-time factor of streamed speech, and the latency of streamed transcription.

    The tables have the form of the paper's (1 and 2). An underrun is a request in which a player runs dry that plays
    from the first chunk on.
    """
    from curation.models.packaged_speech import BECKETT
    from curation.models.store import resolve
    from curation.train.evaluate import serving
    from curation.train.infer.files import read_recording
    from curation.train.infer.streaming import Chunking

    counts = _counts(concurrency)
    model = open_model(checkpoint, device, slots=slots, int8=int8, engine=engine)
    shipped = str(resolve(BECKETT))
    waves = [read_recording(path) for path in audio or [shipped]]
    speaker = read_recording(voice or shipped)
    chunking = Chunking(look_ahead=look_ahead, first_look_ahead=first_look_ahead)
    serving.serve_transcription(model, waves, 1, 1)  # loads what loads late
    serving.serve_speech(model, speaker, 1, 1, chunking, ["Yes."])
    speech = [serving.serve_speech(model, speaker, count, rounds, chunking) for count in counts]
    text = [serving.serve_transcription(model, waves, count, rounds) for count in counts]
    about = serving.describe(model)
    if as_json:
        print_json(
            {"model": about, "speech": [asdict(load) for load in speech], "text": [asdict(load) for load in text]}
        )
        return
    out = table_console()
    out.print(", ".join(f"{name} {value}" for name, value in about.items()))
    out.print(_table("Speech, streamed", serving.TABLE_1, speech), crop=False)
    out.print(_table("Transcription, streamed", serving.TABLE_2, text), crop=False)


def _counts(concurrency: str) -> list[int]:
    from curation.core.errors import ConfigError

    numbers = [number.strip() for number in concurrency.split(",")]
    if not all(number.isdecimal() and int(number) for number in numbers):
        msg = f"--concurrency {concurrency}: expected numbers of 1 or more, separated by commas"
        raise ConfigError(msg)
    return [int(number) for number in numbers]


def _table(title: str, columns: "Sequence[Column]", loads: "list[Load]") -> "Table":
    from rich.table import Table

    has_sound = "real_time_factor" in loads[0].figures
    table = Table("Concurrency", title=title, title_justify="left")
    for name in (*(column.title for column in columns), *(["Underruns"] if has_sound else []), "Requests"):
        table.add_column(name, justify="right")
    for load in loads:
        dry = [f"{load.underruns} ({load.dry_seconds:.1f} s)"] if has_sound else []
        empty = f" ({load.empty} empty)" if load.empty else ""
        values = [column.of(load) for column in columns]
        table.add_row(str(load.concurrency), *values, *dry, f"{load.requests}{empty}")
    return table
