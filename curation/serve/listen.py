"""Listens for requests until SIGTERM or Ctrl-C; requests at work are answered first."""

import uvicorn

from curation.core.errors import ConfigError
from curation.serve.app import create_app
from curation.serve.settings import ServeSettings
from curation.train.infer.speech_model import SpeechModel

GRACE_SECONDS = 30
"""Requests at work at the end have so long; then their connections are closed."""


def listen(model: SpeechModel, settings: ServeSettings, host: str, port: int) -> None:
    """Serve until the process is told to end. Raises ConfigError where the address cannot be used, UserError where a
    tokenizer of the model cannot: its requests would be answered with an error each.
    """
    model.tokenizers.open()
    config = uvicorn.Config(
        create_app(model, settings),
        host=host,
        port=port,
        log_level="info",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    server = uvicorn.Server(config)
    try:
        sock = config.bind_socket()
    except SystemExit as error:
        msg = f"--host {host} --port {port}: cannot be listened on: choose another port, or 0 for a free one"
        raise ConfigError(msg) from error
    server.run(sockets=[sock])
