"""The application: routes of OpenAI's audio API, voice conversion, voices, health and figures, and the page.

    app = create_app(SpeechModel.open("checkpoint", slots=16), ServeSettings(slots=16))

No route opens a path or a URL of a client: recordings are the bytes of the request, voices are names.
"""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, File, Form, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ServiceError, UserError
from curation.core.version import __version__
from curation.models.packaged_speech import BECKETT
from curation.models.store import resolve
from curation.serve.admission import Admission
from curation.serve.answers import Answering
from curation.serve.errors import ApiError, GoneError
from curation.serve.figures import Figures
from curation.serve.gate import Gate
from curation.serve.page import add_page
from curation.serve.settings import ServeSettings
from curation.serve.sound import decoded
from curation.serve.voices import SHIPPED, Voices
from curation.serve.work import Work, while_connected
from curation.train.infer.files import read_recording
from curation.train.infer.sampling import Sampling
from curation.train.infer.speech_model import SpeechModel

log = logging.getLogger(__name__)

SoundFormat = Literal["wav", "pcm", "opus", "flac", "mp3", "aac"]
TextFormat = Literal["json", "text", "verbose_json"]
Hearing = Callable[[Wave], Iterator[Any]]
FORM_BYTES = 64 * 1024
"""Of a request besides its recording."""
MAX_TRANSCRIPT = 1000
"""Letters of what a registered voice says, which is one utterance."""


class VoiceId(BaseModel):
    """The other form in which OpenAI's API names a voice."""

    model_config = ConfigDict(extra="forbid")

    id: str


class Speech(BaseModel):
    """The body of /v1/audio/speech; fields that are not here are refused, so that no wish is dropped silently."""

    model_config = ConfigDict(extra="forbid")

    input: str = Field(min_length=1)
    model: str
    voice: str | VoiceId = SHIPPED
    response_format: SoundFormat = "mp3"
    speed: float = Field(1.0, ge=1, le=1, description="the model has one speed")
    stream_format: Literal["audio"] = "audio"
    temperature: float = Field(0.2, ge=0, le=2)
    seed: int = Field(0, ge=0, lt=2**32)
    language: str = Field("", max_length=20, description="of input: how numbers are read; by default, by the script")


class Service:
    """The model, and what all requests share."""

    def __init__(self, model: SpeechModel, settings: ServeSettings) -> None:
        self.model, self.settings = model, settings
        self.admission = Admission(settings.slots, settings.queue)
        self.figures = Figures(self.admission)
        self.executor = ThreadPoolExecutor(settings.slots + 2, thread_name_prefix="serve")
        shipped = model.voice_sample(read_recording(str(resolve(BECKETT))))
        self.voices = Voices(model.codec, shipped, settings.voices)

    def sampling(self, temperature: float, seed: int) -> Sampling:
        """The model's own penalty, and what the request asks for."""
        return Sampling(temperature, 1.0, self.model.sampling.repetition_penalty, seed)

    def check_model(self, name: str) -> None:
        """Raise ApiError for another model than the one that is served."""
        if name != self.settings.name:
            msg = f"there is no model {name[:80]!r}: this server has {self.settings.name!r}"
            raise ApiError(404, msg, param="model", code="model_not_found")

    async def begin(self, request: Request, make: Callable[[], Iterator[Any]]) -> Work[Any]:
        """Work of the model, once there is a place for it."""
        return Work(make, await while_connected(request, self.admission.enter()), self.executor)

    async def begin_with(self, request: Request, file: UploadFile, max_seconds: float, make: Hearing) -> Work[Any]:
        """Work of the model on a recording, which is decoded in the same place: who has one is not sent away."""
        data = await file.read()
        if not data:
            raise ApiError(400, "file: it is empty", param="file", code="invalid_audio")

        def heard() -> Iterator[Any]:
            wave = decoded(data, max_seconds, "file")
            self.figures.audio.labels("heard").inc(len(wave) / SAMPLE_RATE)
            yield from make(wave)

        return await self.begin(request, heard)


async def only_known_fields(request: Request) -> None:
    """Raise ApiError for a field of a form that the route does not have, as `Speech` does: it would be dropped."""
    known = {field.alias for field in request.scope["route"].dependant.body_params}
    unknown = sorted((await request.form()).keys() - known)
    if unknown:
        name = unknown[0][:80]
        raise ApiError(400, f"{name}: unknown field; known fields: {', '.join(sorted(known))}", param=name)


def create_app(model: SpeechModel, settings: ServeSettings) -> FastAPI:
    """The application of one model. Raises UserError where the voices cannot be read."""
    service = Service(model, settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.executor.shutdown(wait=False, cancel_futures=True)

    app = FastAPI(title="curation", version=__version__, lifespan=lifespan)
    app.state.service = service
    most = settings.max_upload_bytes + FORM_BYTES
    app.add_middleware(
        Gate,
        keys=settings.keys,
        most_bytes=most,
        patience=settings.patience_seconds,
        admission=service.admission,
        figures=service.figures,
    )
    _handle_errors(app)
    _add_speech(app, service)
    _add_transcriptions(app, service)
    _add_voices(app, service)
    _add_about(app, service)
    add_page(app)
    return app


def _add_speech(app: FastAPI, service: Service) -> None:
    answering = Answering(service.figures)

    @app.post("/v1/audio/speech")
    async def speech(body: Speech, request: Request) -> Response:
        service.check_model(body.model)
        most = service.settings.max_text_letters
        if len(body.input) > most:
            raise ApiError(400, f"input: {len(body.input)} letters, at most {most}: split the text", param="input")
        if not any(letter.isalnum() for letter in body.input):
            raise ApiError(400, "input: it has no letter and no number to be said", param="input")
        voice = service.voices.sample(body.voice if isinstance(body.voice, str) else body.voice.id)
        sampling = service.sampling(body.temperature, body.seed)
        chunking = service.settings.chunking
        speak = partial(service.model.speak_stream, body.input, voice, sampling, chunking, language=body.language)
        work = await service.begin(request, speak)
        return await answering.sound(request, work, body.response_format, "speech")

    @app.post("/v1/audio/conversions", dependencies=[Depends(only_known_fields)])
    async def conversions(
        request: Request,
        file: Annotated[UploadFile, File()],
        model: Annotated[str, Form()],
        voice: Annotated[str, Form()] = SHIPPED,
        response_format: Annotated[SoundFormat, Form()] = "mp3",
        temperature: Annotated[float, Form(ge=0, le=2)] = 0.2,
        seed: Annotated[int, Form(ge=0, lt=2**32)] = 0,
    ) -> Response:
        service.check_model(model)
        how = service.voices.sample(voice), service.sampling(temperature, seed), service.settings.chunking
        longest = service.settings.max_audio_seconds
        work = await service.begin_with(request, file, longest, lambda wave: service.model.convert_stream(wave, *how))
        return await answering.sound(request, work, response_format, "conversion")


def _add_transcriptions(app: FastAPI, service: Service) -> None:
    answering = Answering(service.figures)

    @app.post("/v1/audio/transcriptions", dependencies=[Depends(only_known_fields)])
    async def transcriptions(
        request: Request,
        file: Annotated[UploadFile, File()],
        model: Annotated[str, Form()],
        response_format: Annotated[TextFormat, Form()] = "json",
        language: Annotated[str, Form()] = "",
        temperature: Annotated[float, Form(ge=0, le=2)] = 0.0,
        stream: Annotated[bool, Form()] = False,  # noqa: FBT002 - a field of a form
    ) -> Response:
        service.check_model(model)
        seconds = 0.0

        def hear(wave: Wave) -> Iterator[str]:
            nonlocal seconds
            seconds = len(wave) / SAMPLE_RATE
            return service.model.transcribe_stream(wave, Sampling(temperature))

        work = await service.begin_with(request, file, service.settings.max_audio_seconds, hear)
        if stream:
            return await answering.events(request, work)
        text = await answering.text(request, work)
        if response_format == "text":
            return PlainTextResponse(text)
        whole = {"task": "transcribe", "language": language or None, "duration": seconds, "text": text}
        return JSONResponse(whole if response_format == "verbose_json" else {"text": text})


def _add_voices(app: FastAPI, service: Service) -> None:
    def described(voice: Any) -> dict[str, Any]:
        about = {"id": voice.name, "name": voice.name, "created": voice.created, "transcript": voice.transcript}
        return {"object": "voice", **about}

    @app.get("/v1/voices")
    async def voices() -> dict[str, Any]:
        return {"object": "list", "data": [described(voice) for voice in service.voices.all()]}

    @app.post("/v1/voices", status_code=201, dependencies=[Depends(only_known_fields)])
    async def add(
        request: Request,
        name: Annotated[str, Form()],
        file: Annotated[UploadFile, File()],
        transcript: Annotated[str, Form(max_length=MAX_TRANSCRIPT)] = "",
    ) -> dict[str, Any]:
        longest, sample_of = service.settings.max_voice_seconds, service.model.voice_sample
        work = await service.begin_with(request, file, longest, lambda wave: iter([sample_of(wave, transcript)]))
        try:
            sample = (await while_connected(request, work.next()))[0]
        finally:
            work.close()
        return described(service.voices.add(name, sample))

    @app.delete("/v1/voices/{name}")
    async def remove(name: str) -> dict[str, Any]:
        service.voices.remove(name)
        return {"object": "voice.deleted", "id": name, "deleted": True}


def _add_about(app: FastAPI, service: Service) -> None:
    about = {"id": service.settings.name, "object": "model", "created": 0, "owned_by": "curation"}

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": [about]}

    @app.get("/v1/models/{name}")
    async def model(name: str) -> dict[str, Any]:
        service.check_model(name)
        return about

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse(*service.figures.health)

    @app.get("/metrics")
    async def metrics() -> Response:
        return PlainTextResponse(service.figures.text(), media_type="text/plain; version=0.0.4")


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> Response:
        return JSONResponse(error.body(), error.status, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"] if part != "body")
        return JSONResponse(ApiError(400, f"{field}: {first['msg']}", param=field).body(), 400)

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        return JSONResponse(ApiError(error.status_code, str(error.detail)).body(), error.status_code, error.headers)

    @app.exception_handler(UserError)
    async def unusable(_: Request, error: UserError) -> Response:
        return JSONResponse(ApiError(400, str(error)).body(), 400)

    @app.exception_handler(ServiceError)
    async def helpless(_: Request, error: ServiceError) -> Response:
        log.error("%s", error)
        return JSONResponse(ApiError(502, "what generates for this server does not; its log says why").body(), 502)

    @app.exception_handler(GoneError)
    async def gone(_: Request, __: GoneError) -> Response:
        return Response(status_code=499)  # nobody reads it

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> Response:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return JSONResponse(ApiError(500, "the server failed on this request; its log says why").body(), 500)
