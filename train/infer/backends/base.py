"""The seam between a model's calls and what generates tokens for them: requests, answers, and who takes them.

`SpeechModel` knows no more of an engine than `Backend`. The engine of this process is one (train/infer/engine.py).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np

from curation.core.errors import DataError
from curation.tokenize.base import Ids
from curation.train.infer.sampling import GREEDY, Allowed, Draw, Sampling, random_numbers

Finish = Literal["", "end", "limit", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt (tokens,) to be answered with at most `limit` of the allowed ids."""

    prompt: Ids
    allowed: Allowed
    limit: int
    sampling: Sampling = GREEDY


@dataclass(slots=True, eq=False)
class Answer:
    """The answer to a request so far: `ids` without the end. `finished` says why it ended; empty while it runs.

    `end` is the id that ended it, -1 where none did.
    """

    request: Request
    random: np.random.Generator
    ids: list[int] = field(default_factory=list)
    finished: Finish = ""
    end: int = -1
    error: BaseException | None = None
    """What the step raised that failed."""
    slot: int = -1

    @classmethod
    def to(cls, request: Request, length: int) -> "Answer":
        """An answer that has not begun. Raises DataError where `length` tokens leave no room for one."""
        if not len(request.prompt) or len(request.prompt) >= length or request.limit < 1:
            msg = (
                f"a prompt of {len(request.prompt)} tokens and a limit of {request.limit} do not fit the engine's "
                f"{length} tokens: shorten it, or raise the length"
            )
            raise DataError(msg)
        return cls(request, random_numbers(request.sampling, request.prompt))

    def draw(self) -> Draw:
        """How its next id is chosen; takes a random number where one is needed."""
        sampling = self.request.sampling
        return Draw(self.slot, self.request.allowed, sampling, self.random.random() if sampling.temperature else 0.0)


class Backend(Protocol):
    """Generates tokens. All calls may be made from several threads.

    A greedy answer does not depend on other requests, nor does a sampled one with its seed.
    """

    @property
    def slots(self) -> int:
        """Requests that run at once; others wait."""
        ...

    @property
    def length(self) -> int:
        """Tokens of a request, prompt and answer together, at most."""
        ...

    def submit(self, request: Request) -> Answer:
        """Take a request, to be followed. Raises DataError where its prompt leaves no room for an answer."""
        ...

    def follow(self, answer: Answer) -> Iterator[int]:
        """Yield the ids of a submitted request as they come. Closing the iterator cancels it.

        Raises what made the answer fail.
        """
        ...

    def cancel(self, answer: Answer) -> None:
        """Stop a request; nothing happens if it is done."""
        ...

    def run(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer all requests; answers in their order. After an error none of them runs on."""
        ...

    def describe(self) -> dict[str, str | int]:
        """What generates, for the head of a measurement."""
        ...
