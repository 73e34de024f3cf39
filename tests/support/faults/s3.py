"""An S3 server in this process (moto's), which counts requests, and delays, refuses or drops some of them.

python -m tests.support.faults.s3         # a server for trying things out; prints the environment to set
"""

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import s3fs
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server


@dataclass(frozen=True)
class Request:
    """A request as it arrives."""

    method: str
    path: str
    query: str
    condition: bool
    """Whether it asks for a version of the object."""

    @property
    def kind(self) -> str:
        """What S3 calls it, roughly."""
        if self.method == "GET" and ("list-type" in self.query or "uploads" in self.query):
            return "LIST"
        return "DELETE" if self.method == "POST" and "delete" in self.query else self.method


Fault = Callable[[Request], "float | int | str | None"]
"""Of a request: None, seconds to delay it (float), the status to answer (int), `reset` (the connection breaks),
`unanswered` (it breaks after the request is done), or `unconditional` (conditions are ignored, as some servers do).
"""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, *_: Any) -> None: ...


@dataclass
class S3Server:
    """A running server."""

    fault: Fault = lambda _: None
    requests: list[Request] = field(default_factory=list)
    sent: int = 0
    """Bytes of all answers."""
    port: int = 0
    _one: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", self.port, self._answer, threaded=True, request_handler=_Quiet)
        self.port = self._server.port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        condition = "HTTP_IF_MATCH" in environ or "HTTP_IF_NONE_MATCH" in environ
        request = Request(
            environ["REQUEST_METHOD"], environ["PATH_INFO"].lstrip("/"), environ["QUERY_STRING"], condition
        )
        fault = self.fault(request)
        if isinstance(fault, float):
            time.sleep(fault)
        elif isinstance(fault, int):
            code = {503: "SlowDown", 500: "InternalError", 501: "NotImplemented"}.get(fault, "Error")
            body = f"<Error><Code>{code}</Code><Message>told to</Message></Error>".encode()
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            start_response(f"{fault} {code}", [("Content-Length", str(len(body))), ("Connection", "close")])
            return [body]
        elif fault == "reset":
            _reset(environ["werkzeug.socket"])
            raise ConnectionResetError
        elif fault == "unconditional":
            environ = {name: value for name, value in environ.items() if not name.startswith("HTTP_IF_")}
        with self._one:  # moto tests and sets in two steps
            self.requests.append(request)
            answer = list(self._app(environ, start_response))
        self.sent += sum(map(len, answer))
        if fault == "unanswered":
            _reset(environ["werkzeug.socket"])
        return answer

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a process that uses this server."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_MAX_ATTEMPTS": "1",
        }

    def bucket(self, name: str) -> str:
        """A new bucket; returns its URL."""
        s3fs.S3FileSystem(use_listings_cache=False).mkdir(name)
        return f"s3://{name}"

    def objects(self) -> list[str]:
        """Bucket and key of all objects."""
        buckets = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets
        return [f"{name}/{key}" for name, bucket in buckets.items() for key in bucket.keys]

    def counts(self) -> Counter[str]:
        """Requests by kind."""
        return Counter(request.kind for request in self.requests)

    @contextmanager
    def counted(self) -> Iterator[Counter[str]]:
        """Counts the requests of the block, and the bytes of the answers (`bytes`)."""
        counts: Counter[str] = Counter()
        before, sent = len(self.requests), self.sent
        yield counts
        counts.update(request.kind for request in self.requests[before:])
        counts["bytes"] = self.sent - sent


def _reset(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server; `environment` leads a process to it."""
    server = S3Server()
    server.start()
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        yield server
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


if __name__ == "__main__":
    with s3_server() as running:
        os.environ.update(running.environment)
        running.bucket("try")
        print("\n".join(f"export {name}={value}" for name, value in running.environment.items()))
        threading.Event().wait()
