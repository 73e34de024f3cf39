"""The story's corpus, served in this process."""

import threading
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.testclient import TestClient

from curation.audit.page.write import PageOptions
from curation.audit.serve.app import Served, create_app
from curation.audit.serve.gate import Session


@pytest.fixture(scope="session")
def served(corpus, story, tmp_path_factory):
    """(corpus and page, folder of the page, session)"""
    folder = tmp_path_factory.mktemp("served") / "page"
    options = PageOptions(per_reason=1, recordings=[str(story / "in")], served=True)
    return Served(str(corpus), folder, options), folder, Session()


@pytest.fixture
def client(served):
    """A client that knows nothing yet; the session is its `session`."""
    with connected(served) as found:
        yield found


@pytest.fixture
def user(served):
    """A client that has opened the link, and stands in the folder of the page."""
    with connected(served) as found:
        found.get("/", params={"token": served[2].token})
        found.base_url = f"{found.base_url}/{served[2].place}/"
        yield found


@contextmanager
def connected(served):
    app = create_app(*served)
    with TestClient(app, base_url="http://127.0.0.1:8123", raise_server_exceptions=False) as found:
        yield found


@pytest.fixture(scope="session")
def address(served):
    """A server on a free port; its address without a slash at the end."""
    config = uvicorn.Config(create_app(*served), host="127.0.0.1", port=0, log_level="warning")
    server, sock = uvicorn.Server(config), config.bind_socket()
    sock.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
    sock.close()
