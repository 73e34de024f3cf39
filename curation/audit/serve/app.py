"""The application behind the page: its files, SQL, segments by their ids, and the audio of one.

A client names no file: audio is cut for ids of the corpus, from recordings that the user allows, into the folder of the
page, whose files are served by names that are hashes.
"""

import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.staticfiles import StaticFiles

from curation.audit.corpus import Corpus, locked, named
from curation.audit.page.rows import RowWriter
from curation.audit.page.systems import Disagreement
from curation.audit.page.text import cleaned
from curation.audit.page.write import PageOptions, write_page
from curation.audit.serve.gate import Gate, Session
from curation.audit.sql import Limits, answer
from curation.core.errors import UserError
from curation.core.storage import Storage
from curation.pipeline.provenance import read_config

MOST_ROWS = 500
"""Segments that one request asks for."""
LIMITS = Limits(rows=1000, seconds=60.0, memory_gib=2.0, answer_mib=16.0)


class Question(BaseModel):
    """A SELECT over `segments` and `ledger`."""

    model_config = ConfigDict(extra="forbid")
    sql: str = Field(max_length=100_000)


class Wanted(BaseModel):
    """Segments, by the keys that the page knows them by."""

    model_config = ConfigDict(extra="forbid")
    ids: list[str] = Field(max_length=MOST_ROWS)


class One(BaseModel):
    """A segment."""

    model_config = ConfigDict(extra="forbid")
    id: str


class Served:
    """A corpus and its page, for one user: one question is asked at a time, the others wait."""

    def __init__(self, corpus: str, folder: Path, options: PageOptions, limits: Limits = LIMITS) -> None:
        out = Storage(corpus)
        write_page(out, folder, options)
        self.corpus, self.limits = Corpus.open(corpus), limits
        self._writer = RowWriter(
            out, self.corpus, [], folder, options.audio, Disagreement(), options.recordings, read_config(out).decode
        )
        self._asking, self._cutting = threading.Lock(), threading.Lock()
        self._cuts: dict[str, dict[str, Any]] = {}

    def query(self, sql: str) -> dict[str, Any]:
        """The answer to a SELECT. Raises ConfigError."""
        with self._asking:
            return asdict(answer(self.corpus, sql, self.limits))

    def rows(self, ids: Sequence[str]) -> list[list[Any]]:
        """Rows of the page, in the order of the ids; those that the corpus does not have are left out."""
        found = self._records(ids)
        return [self._writer.row(found[key], {}) for key in dict.fromkeys(ids) if key in found]

    def cut(self, key: str) -> dict[str, Any] | None:
        """Words, waveform and files of the audio of a segment; None where the corpus has no such one."""
        with self._cutting:
            if key not in self._cuts:
                found = self._records([key])
                if not found:
                    return None
                self._cuts[key] = self._writer.cut(found[key])
            return self._cuts[key]

    def _records(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        with self._asking:
            database = locked(self.corpus.tables, self.limits.settings)
            try:
                return {key: {**record, "key": key} for key, record in named(database, ids).items()}
            finally:
                database.close()


def create_app(served: Served, folder: Path, session: Session) -> FastAPI:
    """The application of a session; `folder` has the page."""
    app, place = FastAPI(docs_url=None, redoc_url=None, openapi_url=None), f"/{session.place}"

    @app.exception_handler(UserError)
    def _(_request: Request, error: UserError) -> JSONResponse:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(RequestValidationError)
    def _(_request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "; ".join(item["msg"] for item in error.errors())}, 422)

    @app.post(f"{place}/query")
    def _(question: Question) -> JSONResponse:
        return JSONResponse(cleaned(served.query(question.sql)))

    @app.post(f"{place}/rows")
    def _(wanted: Wanted) -> JSONResponse:
        return JSONResponse(cleaned(served.rows(wanted.ids)))

    @app.post(f"{place}/cut")
    def _(one: One) -> JSONResponse:
        found = served.cut(one.id)
        if found is None:
            return JSONResponse({"error": "the corpus has no such segment"}, 404)
        return JSONResponse(found)

    app.mount(place, StaticFiles(directory=folder, html=True))
    app.add_middleware(Gate, session=session)
    return app
