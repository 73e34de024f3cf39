"""The page of a server at `/`, for people: it uses the API as any client does, from the browser."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse

STATIC = Path(__file__).parent / "static"
FILES = {"/": "index.html", "/page/page.js": "page.js", "/page/page.css": "page.css"}
"""Route -> file. Everybody may read them: they hold nothing of the model, and ask for a key where one is needed."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "media-src blob:; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def add_page(app: FastAPI) -> None:
    """Add the routes of the page."""

    def add(route: str, file: Path) -> None:
        @app.get(route, include_in_schema=False, response_class=FileResponse)
        async def page() -> FileResponse:
            return FileResponse(file, headers=HEADERS)

    for route, name in FILES.items():
        add(route, STATIC / name)
