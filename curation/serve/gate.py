"""What every request passes first: the key, the size of its body, and the count of requests."""

import hmac
import json
from collections.abc import Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curation.serve.errors import ApiError
from curation.serve.figures import Figures

OPEN = "/health"
"""Answered without a key."""


class Gate:
    """ASGI middleware. A body is refused by its header, or once more has come than it says."""

    def __init__(self, app: ASGIApp, *, keys: Collection[str], most_bytes: int, figures: Figures) -> None:
        self._app, self._keys, self._most, self._figures = app, keys, most_bytes, figures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._most)
        try:
            error = self._refusal(scope)
            if error is not None:
                await exchange.refuse(error)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._figures.requests.labels(path, str(exchange.status or 499)).inc()

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = dict(scope["headers"])
        given = headers.get(b"authorization", b"")
        # All keys are compared, so that the time of an answer says nothing.
        known = [hmac.compare_digest(given, b"Bearer " + key.encode()) for key in self._keys]
        if self._keys and not any(known) and scope["path"] != OPEN:
            error = ApiError(401, "a key is needed: Authorization: Bearer KEY", code="invalid_api_key")
            error.headers = {"WWW-Authenticate": "Bearer"}
            return error
        declared = headers.get(b"content-length", b"0")
        return too_large(self._most) if not declared.isdigit() or int(declared) > self._most else None


class _Exchange:
    """The two directions of a request."""

    def __init__(self, receive: Receive, send: Send, most: int) -> None:
        self._receive, self._send, self._most = receive, send, most
        self._received, self._refused = 0, False
        self.status = 0

    async def receive(self) -> Message:
        if self._received > self._most:
            return {"type": "http.disconnect"}
        message = await self._receive()
        self._received += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self._received > self._most else message

    async def send(self, message: Message) -> None:
        """What the application says of a body that it could not read is replaced by the reason."""
        if self._received > self._most and not self.status:
            await self.refuse(too_large(self._most))
        if not self._refused:
            self.status = message.get("status", self.status)
            await self._send(message)

    async def refuse(self, error: ApiError) -> None:
        self.status, self._refused = error.status, True
        body = json.dumps(error.body()).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": error.status, "headers": encoded})
        await self._send({"type": "http.response.body", "body": body})


def too_large(most: int) -> ApiError:
    """The error of a body with more bytes."""
    return ApiError(413, f"the request has more than {most} bytes: send a shorter recording", code="too_large")
