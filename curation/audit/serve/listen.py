"""From a corpus to a link, until Ctrl-C or SIGTERM; what the page is made of is removed then."""

import signal
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType

import uvicorn

from curation.audit.page.write import PageOptions
from curation.audit.serve.app import Served, create_app
from curation.audit.serve.gate import Session
from curation.core.errors import ConfigError

HOST = "127.0.0.1"
GRACE_SECONDS = 5
"""Requests at work at the end have so long."""


def listen(corpus: str, options: PageOptions, port: int, on_link: Callable[[str], None]) -> None:
    """Serve the page of a corpus; its link goes to `on_link` once it can be opened. Raises ConfigError where the port
    cannot be used.
    """
    session = Session()
    config = uvicorn.Config(
        "curation.audit.serve.app:create_app",
        host=HOST,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        server_header=False,
    )
    try:
        sock = config.bind_socket()
    except SystemExit as error:
        msg = f"--port {port}: cannot be listened on: choose another one, or 0 for a free one"
        raise ConfigError(msg) from error
    signal.signal(signal.SIGTERM, _interrupt)  # uvicorn gives the signal back to whom it belonged: files are removed
    with suppress(KeyboardInterrupt), sock, tempfile.TemporaryDirectory(prefix="curation-audit-") as temporary:
        folder = Path(temporary, "page")
        served = Served(corpus, folder, replace(options, served=True))
        config.app = create_app(served, folder, session)
        sock.listen()  # who follows the link at once has to wait, and is not refused
        on_link(session.link(sock.getsockname()[1]))
        uvicorn.Server(config).run(sockets=[sock])


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
