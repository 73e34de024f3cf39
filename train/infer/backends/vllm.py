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
from typing import Any

import httpx
import numpy as np

from curation.core.errors import ConfigError, ServiceError
from curation.tokenize.vocabulary import MARKERS, Vocabulary
from curation.train.infer.backends.base import Answer, Request

KEY_VARIABLE = "VLLM_API_KEY"
CONNECT_SECONDS, SILENT_SECONDS = 10.0, 300.0
"""To connect, and without a token of a request, which may wait for its turn."""
PROBE = "Good morning, 1234."


class Vllm:
    """A server at `url`, of a checkpoint with this vocabulary; asked for `slots` answers at once, at most.

    Raises ConfigError for an address that is none, ServiceError where no such server answers there.
    """

    def __init__(self, url: str, vocabulary: Vocabulary, slots: int = 16, length: int = 4096) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        if not httpx.URL(self.url).host or not self.url.startswith(("http://", "https://")):
            msg = f"--engine {url}: not an address of a server: give http://HOST:PORT, as `vllm serve` prints it"
            raise ConfigError(msg)
        key = os.environ.get(KEY_VARIABLE)
        self._client = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            limits=httpx.Limits(max_connections=slots),
            timeout=httpx.Timeout(SILENT_SECONDS, connect=CONNECT_SECONDS, pool=None),
        )
        served = self._ask("GET", "/v1/models").get("data")
        if not served or "id" not in served[0]:
            msg_0 = "serves no model"
            raise self._error(msg_0, "start `vllm serve CHECKPOINT` there")
        self.name: str = served[0]["id"]
        self.slots, self.length = slots, min(length, served[0].get("max_model_len") or length)
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
            "max_tokens": min(request.limit, self.length - len(request.prompt)),
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

    def _take(self, answer: Answer, choice: dict[str, Any]) -> Iterator[int]:
        """Note what a piece of the answer says, and yield its new ids."""
        if choice.get("token_ids") is None:
            msg = "answers in text alone"
            raise self._error(msg, "it must know return_token_ids: vLLM 0.10.2 or later")
        allowed = answer.request.allowed
        for number in choice["token_ids"]:
            if answer.finished:  # cancelled by another thread
                return
            if number in allowed.ends:
                answer.finished, answer.end = "end", number
                return
            if number not in allowed.body:
                msg = f"answered with id {number}, which was not allowed"
                raise self._error(msg, "is it vLLM?")
            answer.ids.append(number)
            yield number
        reason = choice.get("finish_reason")
        if reason == "length":
            answer.finished = "limit"
        elif reason == "stop":
            answer.finished, answer.end = "end", choice.get("stop_reason") or allowed.ends[-1]
        elif reason:
            msg = f"ended an answer with {reason!r}"
            raise self._error(msg, "its log says why")

    def _choices(self, response: httpx.Response) -> Iterator[dict[str, Any]]:
        """The pieces of a streamed answer. Raises ServiceError for an error among them."""
        for line in response.iter_lines():
            content = line.removeprefix("data:").strip()
            if not content or content == "[DONE]":
                continue
            piece = self._read(content)
            if "choices" not in piece:
                msg = f"failed ({_reason(piece)})"
                raise self._error(msg, "its log says why")
            yield from piece["choices"]

    def _check(self, vocabulary: Vocabulary) -> None:
        """Raise ServiceError where the server's tokenizer has other ids."""
        text = "".join(f"<|{name}|>" for name in MARKERS) + PROBE
        asked = {"model": self.name, "prompt": text, "add_special_tokens": False}
        found = self._ask("POST", "/tokenize", asked).get("tokens")
        expected = [*(vocabulary.markers[name] for name in MARKERS), *vocabulary.text_ids(PROBE)]
        if not np.array_equal(found or [], expected):
            msg = f"serves {self.name}, which has another vocabulary"
            raise self._error(msg, "start `vllm serve` with this checkpoint, and its tokenizer files")

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        with self._answering(method, path, body) as response:
            return self._read(response.read())

    @contextmanager
    def _answering(self, method: str, path: str, body: dict[str, Any] | None) -> Iterator[httpx.Response]:
        """A response that is not read yet. Whatever goes wrong until it is read is a ServiceError."""
        try:
            with self._client.stream(method, path, json=body) as response:
                if not response.is_success:
                    reason = _reason(self._read(response.read()))
                    msg = f"answers {path} with {response.status_code}: {reason}"
                    raise self._error(msg, "see its log")
                yield response
        except httpx.RequestError as error:
            msg = f"does not answer {path} ({error or type(error).__name__})"
            raise self._error(msg, "does `vllm serve` run there?") from error

    def _read(self, content: str | bytes) -> dict[str, Any]:
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            msg = f"answers with what is not JSON of vLLM: {content[:80]!r}"
            raise self._error(msg, "is it vLLM?")
        return found

    def _error(self, what: str, remedy: str) -> ServiceError:
        return ServiceError(f"the engine at {self.url} {what}: {remedy}")


def _reason(body: dict[str, Any]) -> str:
    """What an error says; versions of vLLM nest it or not."""
    error = body.get("error", body)
    return str(error.get("message", error) if isinstance(error, dict) else error)[:500]
