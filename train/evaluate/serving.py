"""How a model serves many clients at once: the figures of tables 1 and 2 of the GPA paper (arXiv 2601.10770).

Each of `concurrency` clients sends its next request when its last one is answered (a closed loop), all in one process
and to one engine. Speech: time to the first chunk of sound (TTFC), encoding the voice included; the real-time factor
(RTF), which is the time of a whole request over the seconds of its speech; and underruns, requests in which a player
that plays from the first chunk on runs dry, and how long it waits. Transcription: time to the first text (TTFT) and to
the last; encoding the audio is part of both.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.train.infer.speech_model import SpeechModel
from curation.train.infer.streaming import Chunking
from curation.train.infer.tokenizers import Reference

TEXTS = (
    "The library opens at nine, and closes at half past six.",
    "Please leave the key with the neighbour on the second floor.",
    "It rained all morning, so we stayed inside and played cards.",
    "Nobody knew who had painted the door, but everyone liked it.",
)


@dataclass(frozen=True, slots=True)
class Served:
    """One request: seconds to each piece and to its end, and how much came with it (samples or characters)."""

    arrivals: tuple[float, ...]
    amounts: tuple[int, ...]
    total: float

    @property
    def first(self) -> float:
        """Seconds to the first piece."""
        return self.arrivals[0]

    @property
    def amount(self) -> int:
        """Of all pieces."""
        return sum(self.amounts)

    def stalled(self, rate: int) -> float:
        """Seconds that a player waits, which plays what it has from the first piece on, `rate` a second."""
        end = waited = 0.0
        for arrival, amount in zip(self.arrivals, self.amounts, strict=True):
            if end and arrival > end:
                waited += arrival - end
            end = max(end, arrival) + amount / rate
        return waited


@dataclass(frozen=True, slots=True)
class Figure:
    """Mean and percentiles of one quantity; None where no request has it."""

    mean: float | None = None
    p50: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Over all requests."""
        if not values:
            return cls()
        return cls(float(np.mean(values)), float(np.percentile(values, 50)), float(np.percentile(values, 99)))


@dataclass(frozen=True, slots=True)
class Load:
    """A line of a table: `figures` by name; `empty` requests had empty answers and are in none of them.

    `underruns`: requests in which a player runs dry, together for `dry_seconds`.
    """

    concurrency: int
    requests: int
    empty: int
    figures: dict[str, Figure]
    underruns: int = 0
    dry_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its title in the paper, where its value is in `Load.figures`, and its decimals."""

    title: str
    figure: str
    part: str
    digits: int = 1

    def of(self, load: Load) -> str:
        """The value of a line, as it is shown."""
        value: float | None = getattr(load.figures[self.figure], self.part)
        return "-" if value is None else f"{value:.{self.digits}f}"


TABLE_1 = (
    Column("Avg TTFC (ms)", "first_chunk_ms", "mean"),
    Column("P50 TTFC (ms)", "first_chunk_ms", "p50"),
    Column("P99 TTFC (ms)", "first_chunk_ms", "p99"),
    Column("Avg RTF", "real_time_factor", "mean", 3),
    Column("P50 RTF", "real_time_factor", "p50", 3),
    Column("P99 RTF", "real_time_factor", "p99", 3),
    Column("Audio Dur (s)", "audio_seconds", "mean", 2),
)
TABLE_2 = (
    Column("Avg TTFT (ms)", "first_text_ms", "mean"),
    Column("P50 TTFT (ms)", "first_text_ms", "p50"),
    Column("P99 TTFT (ms)", "first_text_ms", "p99"),
    Column("Avg Total (ms)", "total_ms", "mean"),
)


def serve_speech(
    model: SpeechModel,
    voice: Reference,
    concurrency: int,
    rounds: int,
    chunking: Chunking,
    texts: Sequence[str] = TEXTS,
) -> Load:
    """Table 1: streaming synthesis, `rounds` requests for each client; a voice that is a wave is encoded in each."""
    served = _run(
        lambda number: model.speak_stream(texts[number % len(texts)], voice, chunking=chunking), concurrency, rounds
    )
    full = [request for request in served if request.amount]
    figures = {
        "first_chunk_ms": Figure.of([1000 * request.first for request in full]),
        "real_time_factor": Figure.of([request.total * SAMPLE_RATE / request.amount for request in full]),
        "audio_seconds": Figure.of([request.amount / SAMPLE_RATE for request in full]),
    }
    dry = [seconds for request in full if (seconds := request.stalled(SAMPLE_RATE)) > 0]
    return Load(concurrency, len(served), len(served) - len(full), figures, len(dry), sum(dry))


def serve_transcription(model: SpeechModel, waves: Sequence[Wave], concurrency: int, rounds: int) -> Load:
    """Table 2: streaming recognition, `rounds` requests for each client."""
    served = _run(lambda number: model.transcribe_stream(waves[number % len(waves)]), concurrency, rounds)
    full = [request for request in served if request.amount]
    figures = {
        "first_text_ms": Figure.of([1000 * request.first for request in full]),
        "total_ms": Figure.of([1000 * request.total for request in full]),
    }
    return Load(concurrency, len(served), len(served) - len(full), figures)


def describe(model: SpeechModel) -> dict[str, Any]:
    """The conditions of the measurement, for the head of a report."""
    import torch

    return {**model.engine.describe(), "threads": torch.get_num_threads(), "codec": model.codec.name}


def _run(request: Callable[[int], Iterable[Sized]], concurrency: int, rounds: int) -> list[Served]:
    """Run all requests; an exception in any of them is raised here."""
    numbers, served, errors = itertools.count(), list[Served](), list[Exception]()
    start = threading.Barrier(concurrency)

    def client() -> None:
        try:
            start.wait()
            for _ in range(rounds):
                served.append(_serve(request(next(numbers))))
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            errors.append(error)

    threads = [threading.Thread(target=client) for _ in range(concurrency)]
    try:
        for thread in threads:
            thread.start()
    except BaseException:  # no thread can be had: those that wait for it would wait for ever
        start.abort()
        raise
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return served


def _serve(pieces: Iterable[Sized]) -> Served:
    start = time.perf_counter()
    arrivals, amounts = list[float](), list[int]()
    for piece in pieces:
        arrivals.append(time.perf_counter() - start)
        amounts.append(len(piece))
    return Served(tuple(arrivals), tuple(amounts), time.perf_counter() - start)
