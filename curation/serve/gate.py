"""What every request passes first: where it comes from, the key, the size of its body, and the count of requests."""

import asyncio
import hmac
import ipaddress
import json
import logging
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curation.serve.admission import Admission
from curation.serve.errors import ApiError
from curation.serve.figures import Figures
from curation.serve.page import FILES

log = logging.getLogger(__name__)

OPEN = frozenset({"/health", *FILES})
"""Answered without a key."""


class Gate:
    """ASGI middleware. A body is refused by its header, or once more has come than it says.

    No more bodies are taken in at once than there are places for requests, so that those of requests that wait are
    bounded too; a client that neither sends nor reads for `patience` seconds loses its place.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: Collection[str],
        most_bytes: int,
        patience: float,
        admission: Admission,
        figures: Figures,
    ) -> None:
        self._app, self._keys, self._most, self._patience = app, keys, most_bytes, patience
        self._admission, self._figures = admission, figures
        self._bodies = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(receive, send, self._most, self._patience)
        with_body = scope["method"] not in {"GET", "HEAD"}
        self._bodies += with_body
        status = 499  # the client left, unless it got its whole answer
        try:
            error = self._refusal(scope)
            if error is None and self._bodies > self._admission.places:
                error = self._admission.busy()
            if error is not None:
                await exchange.refuse(error)
            else:
                await self._app(scope, exchange.receive, exchange.send)
            if exchange.answered:
                status = exchange.status
        except ClientDisconnect:
            log.info("%s: the client left, or read nothing for %g s", scope["path"], self._patience)
        except Exception:  # which is answered outside of this gate, or breaks the answer off
            status = 500
            raise
        finally:
            self._bodies -= with_body
            path = getattr(scope.get("route"), "path", "other")
            self._figures.count(path, status, asks=scope["method"] == "POST")

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = dict(scope["headers"])
        scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
        # All keys are compared, so that the time of an answer says nothing.
        known = [hmac.compare_digest(given.strip(), key.encode()) for key in self._keys if scheme.lower() == b"bearer"]
        if self._keys and not any(known) and scope["path"] not in OPEN:
            error = ApiError(401, "a key is needed: Authorization: Bearer KEY", code="invalid_api_key")
            error.headers = {"WWW-Authenticate": "Bearer"}
            return error
        origin, host = (headers.get(name, b"").decode("latin-1") for name in (b"origin", b"host"))
        if origin and not own_page(origin, host, rebound=bool(self._keys)):
            msg = f"a page of {origin[:80]} asks {host[:80]}: use the server's page, by IP address or with --keys"
            return ApiError(403, msg, code="foreign_origin")
        declared = headers.get(b"content-length", b"0")
        return too_large(self._most) if not declared.isdigit() or int(declared) > self._most else None


class _Exchange:
    """The two directions of a request."""

    def __init__(self, receive: Receive, send: Send, most: int, patience: float) -> None:
        self._receive, self._send, self._most, self._patience = receive, send, most, patience
        self._received, self._whole = 0, False
        self._error: ApiError | None = None
        self._refused = False
        self.status = 0
        self.answered = False
        """Whether all of the answer was sent."""

    async def receive(self) -> Message:
        if self._error is not None:
            return {"type": "http.disconnect"}
        if self._whole:  # only its leaving can come yet, and that may take as long as it likes
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._patience)
        except TimeoutError:
            self._error = ApiError(408, f"nothing of the body came for {self._patience:g} s: send it again")
            return {"type": "http.disconnect"}
        self._whole = not message.get("more_body", False)
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            self._error = too_large(self._most)
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """What the application says of a body that it could not read is replaced by the reason.

        Raises ClientDisconnect where the client does not read.
        """
        if self._error is not None and not self.status:
            await self.refuse(self._error)
        if not self._refused:
            self.status = message.get("status", self.status)
            try:
                await asyncio.wait_for(self._send(message), self._patience)
            except TimeoutError as error:
                raise ClientDisconnect from error
            self.answered = message["type"] == "http.response.body" and not message.get("more_body", False)

    async def refuse(self, error: ApiError) -> None:
        self.status, self._refused = error.status, True
        body = json.dumps(error.body()).encode()
        headers = {"content-type": "application/json", "content-length": str(len(body)), **error.headers}
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": error.status, "headers": encoded})
        await self._send({"type": "http.response.body", "body": body})
        self.answered = True


def too_large(most: int) -> ApiError:
    """The error of a body with more bytes."""
    return ApiError(413, f"the request has more than {most} bytes: send a shorter recording", code="too_large")


def own_page(origin: str, host: str, *, rebound: bool) -> bool:
    """Whether a browser asks for a page of this server, not for somebody else's.

    Unless `rebound`, the host must be a local name or an IP address, which no name service can give a foreign page.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if urlsplit(origin).netloc != host:
            return False
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return rebound or "." not in name
    return True
