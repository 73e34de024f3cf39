"""Who may ask the server: who has opened the link that it printed, in a browser that asks for this machine by name.

The link carries the token. It is answered with a cookie of the session, and the address changes to one without the
token. The page lies below a place of the session that nobody can guess, and so does the cookie: browsers would send it
to the servers of all other ports of this machine too.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers, QueryParams
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "curation-audit"
NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""Of hosts, whatever the port: a tunnel has another one. Other names are those of pages that were bound to this address
to get behind the browser's rules (DNS rebinding)."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types rows",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
UNKNOWN = "Open the link that `curation audit serve` has printed.\n"


@dataclass(frozen=True)
class Session:
    """What only the user of this server knows."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    cookie: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    place: str = field(default_factory=lambda: secrets.token_hex(8))
    """Folder of all addresses."""

    def link(self, port: int) -> str:
        """What is opened first."""
        return f"http://127.0.0.1:{port}/?token={self.token}"


class Gate:
    """Answers what may not pass; all else goes on to the application, and gets the headers of a careful one."""

    def __init__(self, app: ASGIApp, session: Session) -> None:
        self.app = app
        self.session = session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and answer it or pass it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refused = self._answer(scope)
        if refused is not None:
            refused.headers.update(HEADERS)
            await refused(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *raw]}
            await send(message)

        await self.app(scope, receive, careful)

    def _answer(self, scope: Scope) -> Response | None:
        """What is answered to a request that goes no further."""
        headers = Headers(scope=scope)
        if not self._is_this_machine(headers):
            return PlainTextResponse("This server answers to 127.0.0.1 and localhost only.\n", 421)
        given = QueryParams(scope["query_string"]).get("token")
        if scope["path"] == "/" and given is not None and _same(given, self.session.token):
            found = RedirectResponse(f"/{self.session.place}/", 303)
            place = f"/{self.session.place}/"
            found.set_cookie(COOKIE, self.session.cookie, path=place, httponly=True, samesite="lax")
            return found
        if not self._is_known(headers):
            return PlainTextResponse(UNKNOWN, 403)
        if scope["path"] != "/" and not scope["path"].startswith(f"/{self.session.place}/"):
            return PlainTextResponse(UNKNOWN, 404)
        return None

    def _is_this_machine(self, headers: Headers) -> bool:
        """Whether the host, and the page that asks, are of this machine by their names."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _name(f"//{hosts[0]}") not in NAMES:
            return False
        origin = headers.get("origin")
        return origin is None or origin == f"http://{hosts[0]}"

    def _is_known(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return _same(token, self.session.token)
        cookies: SimpleCookie = SimpleCookie()
        try:
            cookies.load(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and _same(cookies[COOKIE].value, self.session.cookie)


def _same(given: str, secret: str) -> bool:
    """In a time that says nothing of where they differ."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), secret.encode())


def _name(url: str) -> str | None:
    """The host of a URL."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
