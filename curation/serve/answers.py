"""How the items of the model become the body of an answer."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.serve.figures import Figures
from curation.serve.sound import FORMATS, Encoder
from curation.serve.work import Work, while_connected


class Streamed(StreamingResponse):
    """Sends what its work makes, and closes it however the answer ends."""

    def __init__(self, work: Work[Any], content: AsyncIterator[bytes], media_type: str) -> None:
        super().__init__(content, media_type=media_type, headers={"X-Accel-Buffering": "no"})
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._work.close()


class Answering:
    """Makes answers, and counts them."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    async def sound(self, request: Request, work: Work[Wave], name: str, endpoint: str) -> Streamed:
        """Speech in a format of `FORMATS`, chunk by chunk."""
        try:
            encoder = Encoder(name)
        except BaseException:  # an FFmpeg without the codec
            work.close()
            raise
        first = await self._first(request, work, endpoint)

        async def body() -> AsyncIterator[bytes]:
            chunk = first
            while chunk:
                self._figures.audio.labels("spoken").inc(len(chunk[0]) / SAMPLE_RATE)
                if data := encoder.feed(chunk[0]):
                    yield data
                chunk = await work.next()
            yield encoder.finish()

        return Streamed(work, body(), FORMATS[name].media_type)

    async def events(self, request: Request, work: Work[str]) -> Streamed:
        """Text as server-sent events, in OpenAI's form."""
        piece = await self._first(request, work, "transcription")

        async def body() -> AsyncIterator[bytes]:
            text, found = "", piece
            while found:
                text += found[0]
                yield _event({"type": "transcript.text.delta", "delta": found[0]})
                found = await work.next()
            yield _event({"type": "transcript.text.done", "text": text})

        return Streamed(work, body(), "text/event-stream")

    async def text(self, request: Request, work: Work[str]) -> str:
        """The whole text."""
        try:
            with self._figures.timed(self._figures.whole, "transcription"):
                parts = await self._first(request, work, "transcription")
                while parts and (found := await while_connected(request, work.next())):
                    parts += found
        finally:
            work.close()
        return "".join(parts)

    async def _first(self, request: Request, work: Work[Any], endpoint: str) -> list[Any]:
        """The first item, before the answer begins, so that an error still has a status of its own."""
        try:
            with self._figures.timed(self._figures.first, endpoint):
                return await while_connected(request, work.next())
        except BaseException:
            work.close()
            raise


def _event(content: dict[str, str]) -> bytes:
    return f"data: {json.dumps(content, ensure_ascii=False)}\n\n".encode()
