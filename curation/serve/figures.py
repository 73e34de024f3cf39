"""Figures of a server in the text format of Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from curation.serve.admission import Admission

BUCKETS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""


class Figures:
    """Figures of one server."""

    def __init__(self, admission: Admission) -> None:
        registry = self._registry = CollectorRegistry()

        def histogram(name: str, meaning: str) -> Histogram:
            return Histogram(f"curation_serve_{name}", meaning, ["endpoint"], buckets=BUCKETS, registry=registry)

        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"curation_serve_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"curation_serve_{name}", meaning, registry=registry)

        self.requests = counter("requests", "Requests; status 499: the client left", "endpoint", "status")
        self.audio = counter("audio_seconds", "Audio `heard` and `spoken`", "direction")
        self.first = histogram("first_seconds", "Until the first sound or text")
        self.whole = histogram("whole_seconds", "Until the whole text")
        gauge("held", "Requests at work or waiting").set_function(lambda: admission.held)
        gauge("waiting", "Requests that wait").set_function(lambda: admission.waiting)

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)

    @contextmanager
    def timed(self, histogram: Histogram, endpoint: str) -> Iterator[None]:
        """Observe how long a block takes that ends without an error."""
        begin = time.perf_counter()
        yield
        histogram.labels(endpoint).observe(time.perf_counter() - begin)
