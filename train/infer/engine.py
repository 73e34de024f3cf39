"""Continuous batching: each step reads one token of every running request, and the prompts of new ones.

    engine = Engine(decoder, slots=16, length=4096)
    answers = engine.run([Request(prompt, allowed, limit=500)])        # all of them, in order
    for token in engine.stream(Request(prompt, allowed, limit=500)):   # as they come

Requests enter and leave between steps. The engine has no thread: a caller that waits for a token makes the next step
for all, so that streams in several threads share their steps.
"""

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from threading import Lock

import torch

from curation.train.infer.attention import NextTokens
from curation.train.infer.backends.base import Answer, Finish, Request
from curation.train.infer.decoding import Decoding
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import Allowed, Sampler

log = logging.getLogger(__name__)

PROMPT_TOKENS = 2048
"""Prompt tokens that a step reads: running requests wait for no more, a longer prompt takes several steps."""


class Engine:
    """Runs requests on `slots` places; each may take `length` tokens, prompt and answer together.

    Greedy answers, and sampled ones with their seed, do not depend on other requests (to rounding of the matrix
    products). A step that fails ends the requests that it read, with its error, and no others.

    `fixed`: decode in steps of fixed shapes (train/infer/decoding.py), captured as CUDA graphs on a GPU, where that is
    the default.
    """

    def __init__(
        self,
        decoder: Qwen3Decoder,
        slots: int = 16,
        length: int = 4096,
        *,
        prompt_tokens: int = PROMPT_TOKENS,
        fixed: bool | None = None,
    ) -> None:
        self.prompt_tokens = prompt_tokens
        self.cache = decoder.new_cache(slots, min(length, decoder.sizes.positions))
        self._is_fixed = decoder.embedding.is_cuda if fixed is None else fixed
        self.steps = 0
        self._waiting: deque[Answer] = deque()
        self._running: list[Answer] = []
        self._lock = Lock()
        self.use(decoder)

    def use(self, decoder: Qwen3Decoder) -> None:
        """Answer by a decoder of the same sizes from now on. Raises ValueError while requests run.

        Captured steps are captured anew.
        """
        with self._lock:
            if self._running or self._waiting:
                msg = f"{len(self._running) + len(self._waiting)} requests run: weights change between requests only"
                raise ValueError(msg)
            self.decoder = decoder
            self.sampler = Sampler(decoder.head, self.cache.slots + 1, int8=decoder.int8)
            self.decoding = Decoding(decoder, self.cache, self.sampler) if self._is_fixed else None

    @property
    def slots(self) -> int:
        """Requests that run at once."""
        return self.cache.slots

    @property
    def length(self) -> int:
        """Tokens of a request, prompt and answer together, at most."""
        return self.cache.length

    def describe(self) -> dict[str, str | int]:
        """What generates, for the head of a measurement."""
        decoder = self.decoder
        return {
            "layers": decoder.sizes.layers,
            "hidden": decoder.sizes.hidden,
            "dtype": "int8" if decoder.int8 else str(decoder.dtype).removeprefix("torch."),
            "device": decoder.device,
            "slots": self.slots,
        }

    def submit(self, request: Request) -> Answer:
        """Queue a request. Raises DataError where its prompt leaves no room for an answer."""
        answer = Answer.to(request, self.length)
        with self._lock:
            self._waiting.append(answer)
        return answer

    def run(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer all requests; answers in their order. After an error, none of them is left in the engine."""
        answers: list[Answer] = []
        try:
            answers.extend(self.submit(request) for request in requests)  # keeps those before one that is refused
            for answer in answers:
                for _ in self.follow(answer):
                    pass
        finally:
            for answer in answers:
                self.cancel(answer)
        return answers

    def stream(self, request: Request) -> Iterator[int]:
        """Yield the ids of the answer as they come. Closing the iterator cancels the request."""
        yield from self.follow(self.submit(request))

    def follow(self, answer: Answer) -> Iterator[int]:
        """Yield the ids of a submitted request as they come. Closing the iterator cancels it.

        Raises what a step of this request raised; requests that were not in that step go on.
        """
        given = 0
        try:
            while True:
                while given < len(answer.ids):
                    given += 1
                    yield answer.ids[given - 1]
                if answer.finished and given == len(answer.ids):
                    if answer.error is not None:
                        raise answer.error
                    return
                self._step_for(answer, given)
        finally:
            self.cancel(answer)

    def cancel(self, answer: Answer) -> None:
        """Stop a request; nothing happens if it is done."""
        with self._lock:
            if answer.finished:
                return
            if answer.slot >= 0:
                self._release(answer, "cancelled")
            else:
                self._waiting.remove(answer)
                answer.finished = "cancelled"

    def _step_for(self, answer: Answer, given: int) -> None:
        """Make a step unless another thread's step has extended the answer meanwhile."""
        with self._lock:
            if not answer.finished and len(answer.ids) == given:
                self._step()

    def _step(self) -> None:
        self._admit()
        for part, counts in self._parts():
            try:
                with torch.inference_mode():
                    ids = self._read(part, counts)
            except BaseException as error:
                for answer in part:
                    self._release(answer, "failed", error)
                if not isinstance(error, Exception):
                    raise
                log.warning("a step failed; %d requests end with its error: %r", len(part), error)
            else:
                for answer, number in ids:
                    self._take(answer, number)
        self.steps += 1

    def _admit(self) -> None:
        """Give waiting requests a slot, in their order."""
        while self._waiting and self.cache.num_free:
            answer = self._waiting.popleft()
            answer.slot = self.cache.take()
            self._running.append(answer)
            try:
                if answer.request.sampling.repetition_penalty != 1:
                    self.sampler.admit(answer.slot, answer.request.prompt)
            except BaseException as error:
                self._release(answer, "failed", error)
                if not isinstance(error, Exception):
                    raise

    def _parts(self) -> Iterator[tuple[list[Answer], list[int]]]:
        """Requests that share a call, with how many tokens each reads: pieces of prompts, oldest first, or one token.

        They are sorted by slot: neighbours share attention calls. Where steps are captured, prompts are read apart.
        """
        room = self.prompt_tokens
        prompts, singles = {}, {}
        for answer in self._running:
            unread = len(answer.request.prompt) - self.cache.lengths[answer.slot]
            if unread <= 0:
                singles[answer] = 1
            elif room:
                prompts[answer] = min(unread, room)
                room -= prompts[answer]
        for part in (prompts, singles) if self.decoding else (prompts | singles,):
            if part:
                answers = sorted(part, key=lambda answer: answer.slot)
                yield answers, [part[answer] for answer in answers]

    def _read(self, part: list[Answer], counts: list[int]) -> list[tuple[Answer, int]]:
        """Read the next tokens of some requests; gives the next id of each one whose prompt is read."""
        if self.decoding and all(answer.ids for answer in part):
            ids = self.decoding([answer.ids[-1] for answer in part], [answer.draw() for answer in part])
            return list(zip(part, ids, strict=True))
        tokens: list[int] = []
        for answer, count in zip(part, counts, strict=True):
            known = self.cache.lengths[answer.slot]
            tokens += answer.request.prompt[known : known + count].tolist() or answer.ids[-1:]
        rows = [NextTokens(answer.slot, count) for answer, count in zip(part, counts, strict=True)]
        hidden = self.decoder.forward(tokens, rows, self.cache)
        tasks: dict[Allowed, list[int]] = {}
        for row, answer in enumerate(part):
            if self.cache.lengths[answer.slot] >= len(answer.request.prompt):
                tasks.setdefault(answer.request.allowed, []).append(row)
        found = []
        for members in tasks.values():
            chosen = hidden if len(members) == len(part) else hidden[members]
            answers = [part[row] for row in members]
            found += list(
                zip(answers, self.sampler.next_ids(chosen, [answer.draw() for answer in answers]), strict=True)
            )
        return found

    def _take(self, answer: Answer, number: int) -> None:
        if number in answer.request.allowed.ends:
            answer.end = number
            self._release(answer, "end")
            return
        answer.ids.append(number)
        room = self.cache.length - len(answer.request.prompt)
        if len(answer.ids) >= min(answer.request.limit, room):
            self._release(answer, "limit")

    def _release(self, answer: Answer, reason: Finish, error: BaseException | None = None) -> None:
        answer.finished, answer.error = reason, error
        self._running.remove(answer)
        self.cache.give_back(answer.slot)
