"""`curation serve`: a checkpoint behind OpenAI's audio API."""

from pathlib import Path
from typing import Annotated

import typer

from curation.cli.checkpoints import Checkpoint, Device, EngineUrl, FirstLookAhead, Int8, Prepared, open_model
from curation.cli.options import console, marked

KEYS_VARIABLE = "CURATION_SERVE_KEYS"


def serve(  # noqa: PLR0913 - the options of a command
    checkpoint: Checkpoint,
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on; 0.0.0.0: all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0: any free one.")] = 8000,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the model in requests.", show_default="the folder's")
    ] = "",
    keys: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text file with the keys of clients, one in each line.", envvar=KEYS_VARIABLE
        ),
    ] = None,
    voices: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of registered voices.", show_default="in memory"),
    ] = None,
    slots: Annotated[int, typer.Option(metavar="N", min=1, help="Requests that the model runs at once.")] = 16,
    queue: Annotated[int, typer.Option(metavar="N", min=0, help="Requests that may wait; more get 429.")] = 64,
    max_upload_mib: Annotated[int, typer.Option(metavar="N", min=1, help="Largest upload, MiB.")] = 25,
    max_audio_seconds: Annotated[float, typer.Option(metavar="S", min=1, help="Longest recording, seconds.")] = 600,
    first_look_ahead: FirstLookAhead = None,
    prepare: Prepared = None,
    device: Device = "cpu",
    int8: Int8 = False,
    engine: EngineUrl = "",
) -> None:
    """Serve a checkpoint over HTTP: speech, transcription and voice conversion.

    OpenAI's clients work with it (base URL http://ADDRESS:PORT/v1). Needs `pip install 'curation[serve]'`.
    """
    from curation.core.errors import ConfigError
    from curation.serve.settings import ServeSettings, read_keys
    from curation.train.infer.streaming import Chunking

    settings = ServeSettings(
        name=name or checkpoint.resolve().name,
        slots=slots,
        queue=queue,
        max_upload_bytes=max_upload_mib * 2**20,
        max_audio_seconds=max_audio_seconds,
        voices=voices,
        chunking=Chunking(first_look_ahead=first_look_ahead),
        keys=read_keys(keys) if keys is not None else frozenset(),
    )
    if host not in {"127.0.0.1", "localhost", "::1"} and not settings.keys:
        text = f"{host} is open to the network, and no key is asked for (--keys)"
        console.print(marked("warning:", text, "yellow"))
    try:
        from curation.serve.listen import listen
    except ModuleNotFoundError as error:
        msg = f"curation serve needs the package {error.name}: pip install 'curation[serve]'"
        raise ConfigError(msg) from error
    listen(open_model(checkpoint, device, slots=slots, prepare=prepare, int8=int8, engine=engine), settings, host, port)
