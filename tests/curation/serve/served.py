"""A server of this process, on a free port, in a thread."""

import threading
import time
from contextlib import contextmanager

import uvicorn

from curation.serve.app import create_app


@contextmanager
def served(model, settings):
    """Yield (address without a slash at its end, the application)."""
    app = create_app(model, settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning")
    server, sock = uvicorn.Server(config), config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}", app
    finally:
        server.should_exit = True
        thread.join(60)
        sock.close()


def settled(app, seconds=30.0):
    """Wait until no request holds a place."""
    end = time.monotonic() + seconds
    while app.state.service.admission.held and time.monotonic() < end:
        time.sleep(0.02)
    return app.state.service.admission.held == 0
