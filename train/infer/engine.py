"""Continuous batching: each step reads one token of every running request, and the prompts of new ones.

    engine = Engine(decoder, slots=16, length=4096)
    answers = engine.run([Request(prompt, allowed, limit=500)])        # all of them, in order
    for token in engine.stream(Request(prompt, allowed, limit=500)):   # as they come

Requests enter and leave between steps. The engine has no thread: a caller that waits for a token makes the next step
for all, so that streams in several threads share their steps.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

import torch

from curation.core.errors import DataError
from curation.tokenize.base import Ids
from curation.train.infer.qwen3 import NextTokens, Qwen3Decoder
from curation.train.infer.sampling import GREEDY, Allowed, Chooser, Head, Sampling, choose

PROMPT_TOKENS = 2048
"""Prompt tokens that a step takes in (always at least one prompt), so that running requests do not wait long."""


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt (tokens,) to be answered with at most `limit` of the allowed ids."""

    prompt: Ids
    allowed: Allowed
    limit: int
    sampling: Sampling = GREEDY


@dataclass(slots=True, eq=False)
class Answer:
    """The answer to a request so far: `ids` without the end. `finished` says why it ended; empty while it runs."""

    request: Request
    chooser: Chooser
    ids: list[int] = field(default_factory=list)
    finished: Literal["", "end", "limit", "cancelled"] = ""
    slot: int = -1


class Engine:
    """Runs requests on `slots` places; each may take `length` tokens, prompt and answer together.

    Greedy answers, and sampled ones with their seed, do not depend on other requests (to rounding of the matrix
    products).
    """

    def __init__(self, decoder: Qwen3Decoder, slots: int = 16, length: int = 4096) -> None:
        self.decoder = decoder
        self.cache = decoder.new_cache(slots, min(length, decoder.sizes.positions))
        self.steps = 0
        self._waiting: deque[Answer] = deque()
        self._running: list[Answer] = []
        self._heads: dict[Allowed, Head] = {}
        self._lock = Lock()

    def submit(self, request: Request) -> Answer:
        """Queue a request. Raises DataError where its prompt leaves no room for an answer."""
        room = self.cache.length - len(request.prompt)
        if not len(request.prompt) or room < 1 or request.limit < 1:
            msg = (
                f"a prompt of {len(request.prompt)} tokens and a limit of {request.limit} do not fit the engine's "
                f"{self.cache.length} tokens: shorten it, or raise the length"
            )
            raise DataError(msg)
        chooser = Chooser(request.sampling, request.allowed, request.prompt, self.decoder.device)
        answer = Answer(request, chooser)
        with self._lock:
            self._waiting.append(answer)
        return answer

    def run(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer all requests; answers in their order."""
        answers = [self.submit(request) for request in requests]
        for answer in answers:
            while not answer.finished:
                self._step_for(answer, len(answer.ids))
        return answers

    def stream(self, request: Request) -> Iterator[int]:
        """Yield the ids of the answer as they come. Closing the iterator cancels the request."""
        yield from self.follow(self.submit(request))

    def follow(self, answer: Answer) -> Iterator[int]:
        """Yield the ids of a submitted request as they come. Closing the iterator cancels it."""
        given = 0
        try:
            while True:
                while given < len(answer.ids):
                    given += 1
                    yield answer.ids[given - 1]
                if answer.finished and given == len(answer.ids):
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
        fresh = self._admit()
        rows = [
            NextTokens(answer.slot, len(answer.request.prompt) if answer in fresh else 1) for answer in self._running
        ]
        ids: list[int] = []
        for answer in self._running:
            ids += answer.request.prompt.tolist() if answer in fresh else [answer.ids[-1]]
        with torch.inference_mode():
            hidden = self.decoder.forward(ids, rows, self.cache)
            self._choose(hidden)
        self.steps += 1

    def _admit(self) -> set[Answer]:
        """Give waiting requests a slot, in their order. Running ones stay sorted by slot: neighbours share calls."""
        fresh: set[Answer] = set()
        taken = 0
        while self._waiting and self.cache.num_free:
            taken += len(self._waiting[0].request.prompt)
            if fresh and taken > PROMPT_TOKENS:
                break
            answer = self._waiting.popleft()
            answer.slot = self.cache.take()
            fresh.add(answer)
        self._running = sorted([*self._running, *fresh], key=lambda answer: answer.slot)
        return fresh

    def _choose(self, hidden: torch.Tensor) -> None:
        tasks: dict[Allowed, list[int]] = {}
        for row, answer in enumerate(self._running):
            tasks.setdefault(answer.request.allowed, []).append(row)
        running = self._running.copy()
        for allowed, members in tasks.items():
            if allowed not in self._heads:
                self._heads[allowed] = Head(self.decoder.head, allowed)
            logits = self._heads[allowed](hidden if len(tasks) == 1 else hidden[members])
            answers = [running[row] for row in members]
            for answer, place in zip(answers, choose(logits, [answer.chooser for answer in answers]), strict=True):
                self._take(answer, place)

    def _take(self, answer: Answer, place: int) -> None:
        body = answer.request.allowed.body
        if place >= len(body):
            self._release(answer, "end")
            return
        answer.ids.append(body[place])
        room = self.cache.length - len(answer.request.prompt)
        if len(answer.ids) >= min(answer.request.limit, room):
            self._release(answer, "limit")

    def _release(self, answer: Answer, reason: Literal["end", "limit", "cancelled"]) -> None:
        answer.finished = reason
        self._running.remove(answer)
        self.cache.give_back(answer.slot)
