"""Requests answered by a running `vllm serve`: prompts and answers as ids, over its OpenAI-compatible API.

    backend = Vllm("http://127.0.0.1:8000", vocabulary, slots=64)

What is asked of the server (vLLM 0.10.2 or later, which gives ids back): `/v1/models`, `/tokenize`, and
`/v1/completions` with `allowed_token_ids`, `stop_token_ids` and `return_token_ids`. A key (`vllm serve --api-key`) is
taken from the variable VLLM_API_KEY. Greedy answers are those of the model; sampled ones follow from the seed, but not
as in the engine of this process.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, Field, ValidationError

from curation.core.errors import ConfigError, ServiceError
from curation.core.stores.urls import without_credentials
from curation.tokenize.vocabulary import MARKERS, Vocabulary
from curation.train.infer.backends.base import Answer, Request

KEY_VARIABLE = "VLLM_API_KEY"
CONNECT_SECONDS, SILENT_SECONDS = 10.0, 300.0
"""To connect, and without a token of a request, which may wait for its turn."""
MOST_BYTES = 4 * 2**20
"""Of an answer that is read at once, and of a line of a streamed one."""
NO_DATA = (b":", b"event:", b"id:", b"retry:")
"""How the other lines of a stream of events begin; those with a colon alone are comments, by which proxies keep it."""
PROBE = "Good morning, 1234."


class Card(BaseModel):
    """A model that is served."""

    id: str
    max_model_len: int | None = Field(None, ge=1)


class Cards(BaseModel):
    """What `/v1/models` gives."""

    data: list[Card]


class Tokens(BaseModel):
    """What `/tokenize` gives."""

    tokens: list[int]


class Choice(BaseModel):
    """A piece of an answer."""

    token_ids: list[int] | None = None
    finish_reason: str | None = None
    stop_reason: int | str | None = None


class Piece(BaseModel):
    """A line of a streamed answer; without choices it is an error."""

    choices: list[Choice] | None = None


Form = TypeVar("Form", bound=BaseModel)


class Vllm:
    """A server at `url`, of a checkpoint with this vocabulary; asked for `slots` answers at once, at most.

    Raises ConfigError for an address that is none, ServiceError where no such server answers there.
    """

    def __init__(self, url: str, vocabulary: Vocabulary, slots: int = 16, length: int = 4096) -> None:
        self.url, key = _address(url), _key()
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=slots),
            timeout=httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS, pool=None),
        )
        served = self._ask(Cards, "GET", "/v1/models").data
        if not served:
            what = "serves no model"
            raise self._error(what, "start `vllm serve CHECKPOINT` there")
        self.name = served[0].id
        self.slots, self.length = slots, min(length, served[0].max_model_len or length)
        self._check(vocabulary)

    def describe(self) -> dict[str, str | int]:
        """What generates, for the head of a measurement."""
        return {"engine": self.url, "model": self.name, "slots": self.slots}

    def submit(self, request: Request) -> Answer:
        """Take a request; it is sent once it is followed. Raises DataError where its prompt leaves no room."""
        return Answer.to(request, self.length)

    def follow(self, answer: Answer) -> Iterator[int]:
        """Yield the ids of a submitted request as they come. Closing the iterator cancels it.

        Raises ServiceError where the server does not answer, or not as it must.
        """
        if answer.finished:
            yield from answer.ids
            if answer.error is not None:
                raise answer.error
            return
        try:
            with self._answering("POST", "/v1/completions", self._body(answer)) as response:
                for choice in self._choices(response):
                    yield from self._take(answer, choice)
                    if answer.finished:
                        return
            msg = f"broke off after {len(answer.ids)} tokens"
            raise self._error(msg, "its log says why")
        except ServiceError as error:
            answer.finished, answer.error = "failed", error
            raise
        finally:
            self.cancel(answer)

    def cancel(self, answer: Answer) -> None:
        """Stop a request; nothing happens if it is done. The server notices that nobody reads its answer any more."""
        answer.finished = answer.finished or "cancelled"

    def run(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer all requests; answers in their order. After an error none of them runs on."""
        answers = [self.submit(request) for request in requests]
        with ThreadPoolExecutor(max(1, min(self.slots, len(answers)))) as executor:
            followed = [executor.submit(lambda answer: list(self.follow(answer)), answer) for answer in answers]
            try:
                wait(followed, return_when=FIRST_EXCEPTION)
            finally:
                for answer in answers:
                    self.cancel(answer)
        for one in followed:
            one.result()
        return answers

    def _body(self, answer: Answer) -> dict[str, Any]:
        request, sampling = answer.request, answer.request.sampling
        ends = list(request.allowed.ends)
        return {
            "model": self.name,
            "prompt": request.prompt.tolist(),
            "max_tokens": self._most(request),
            "allowed_token_ids": [*request.allowed.body, *ends],
            "stop_token_ids": ends,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "repetition_penalty": sampling.repetition_penalty,
            "seed": int(answer.random.integers(2**63)),
            # A checkpoint's generation_config.json may have other defaults of these.
            "top_k": 0,
            "min_p": 0.0,
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "stream": True,
            "return_token_ids": True,
        }

    def _most(self, request: Request) -> int:
        return min(request.limit, self.length - len(request.prompt))

    def _take(self, answer: Answer, choice: Choice) -> Iterator[int]:
        """Note what a piece of the answer says, and yield its new ids."""
        if choice.token_ids is None:
            msg = "answers in text alone"
            raise self._error(msg, "it must know return_token_ids: vLLM 0.10.2 or later")
        allowed, most = answer.request.allowed, self._most(answer.request)
        for number in choice.token_ids:
            if answer.finished:  # cancelled by another thread
                return
            if number in allowed.ends:
                answer.finished, answer.end = "end", number
                return
            if number not in allowed.body:
                msg = f"answered with id {number}, which was not allowed"
                raise self._error(msg, "is it vLLM?")
            if len(answer.ids) == most:
                msg = f"answered with more than the {most} tokens that were asked for"
                raise self._error(msg, "is it vLLM?")
            answer.ids.append(number)
            yield number
        reason, stop = choice.finish_reason, choice.stop_reason
        if reason == "length":
            answer.finished = "limit"
        elif reason == "stop":
            answer.finished, answer.end = "end", stop if isinstance(stop, int) else allowed.ends[-1]
        elif reason:
            msg = f"ended an answer with {reason!r}"
            raise self._error(msg, "its log says why")

    def _choices(self, response: httpx.Response) -> Iterator[Choice]:
        """The pieces of a streamed answer. Raises ServiceError for an error among them."""
        for line in self._lines(response):
            content = line.removeprefix(b"data:").strip()
            if not content or content == b"[DONE]" or line.startswith(NO_DATA):
                continue
            piece = self._read(Piece, content)
            if piece.choices is None:
                msg = f"failed ({_reason(content)})"
                raise self._error(msg, "its log says why")
            yield from piece.choices

    def _lines(self, response: httpx.Response) -> Iterator[bytes]:
        """Lines of a response, which end with a line feed alone: text in them may hold other ends of lines (U+2028)."""
        rest = b""
        for part in response.iter_bytes():
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
            self._check_size(rest)
        yield rest

    def _check(self, vocabulary: Vocabulary) -> None:
        """Raise ServiceError where the server's tokenizer has other ids."""
        text = "".join(f"<|{name}|>" for name in MARKERS) + PROBE
        asked = {"model": self.name, "prompt": text, "add_special_tokens": False}
        found = self._ask(Tokens, "POST", "/tokenize", asked).tokens
        expected = [*(vocabulary.markers[name] for name in MARKERS), *vocabulary.text_ids(PROBE).tolist()]
        if found != expected:
            msg = f"serves {self.name}, which has another vocabulary"
            raise self._error(msg, "start `vllm serve` with this checkpoint, and its tokenizer files")

    def _ask(self, form: type[Form], method: str, path: str, body: dict[str, Any] | None = None) -> Form:
        with self._answering(method, path, body) as response:
            return self._read(form, self._whole(response))

    @contextmanager
    def _answering(self, method: str, path: str, body: dict[str, Any] | None) -> Iterator[httpx.Response]:
        """A response that is not read yet. Whatever goes wrong until it is read is a ServiceError."""
        try:
            with self._client.stream(method, path, json=body) as response:
                if not response.is_success:
                    content = self._whole(response)
                    reason = _reason(content) or repr(content[:80])
                    msg = f"answers {path} with {response.status_code}: {reason}"
                    raise self._error(msg, "see its log")
                yield response
        except httpx.RequestError as error:
            msg = f"does not answer {path} ({error or type(error).__name__})"
            raise self._error(msg, "does `vllm serve` run there?") from error

    def _whole(self, response: httpx.Response) -> bytes:
        found = b""
        for part in response.iter_bytes():
            found += part
            self._check_size(found)
        return found

    def _check_size(self, content: bytes) -> None:
        if len(content) > MOST_BYTES:
            msg = f"answers with more than {MOST_BYTES} bytes at once"
            raise self._error(msg, "is it vLLM?")

    def _read(self, form: type[Form], content: bytes) -> Form:
        try:
            return form.model_validate_json(content, strict=True)
        except ValidationError as error:
            msg = f"answers with what is not JSON of vLLM: {content[:80]!r}"
            raise self._error(msg, "is it vLLM?") from error

    def _error(self, what: str, remedy: str) -> ServiceError:
        return ServiceError(f"the engine at {self.url} {what}: {remedy}")


def _address(url: str) -> str:
    """The address without a path of the API. Raises ConfigError where it is none, or holds more than that."""
    try:
        found = httpx.URL(url.rstrip("/").removesuffix("/v1"))
        found.raw_host.decode().encode("idna")
    except (httpx.InvalidURL, UnicodeError):
        found = httpx.URL()
    if found.scheme not in {"http", "https"} or not found.host or found.userinfo or found.query or found.fragment:
        msg = f"--engine {without_credentials(url)}: not an address of a server: give http://HOST:PORT alone"
        raise ConfigError(msg)
    return str(found)


def _key() -> str:
    """The server's key, empty where there is none. Raises ConfigError for what cannot be sent."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if key and not (key.isascii() and key.isprintable()):
        msg = f"{KEY_VARIABLE}: holds what is no key: give the one of `vllm serve --api-key`, in printable ASCII"
        raise ConfigError(msg)
    return key


def _reason(content: bytes) -> str:
    """What an error says, which versions of vLLM nest or not; empty where it is none."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    error = body.get("error", body) if isinstance(body, dict) else body
    return str(error.get("message", error) if isinstance(error, dict) else error)[:500]
