"""Figures of a server in the text format of Prometheus."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from curation.core.version import __version__
from curation.serve.admission import Admission

BUCKETS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Seconds."""
MOST_ERRORS = 5
"""Errors of the server in a row, without an answer between them, after which it is no longer healthy."""
FORGOTTEN = 60.0
"""Seconds after the last of them in which it stays so: who asks it no more never learns that it has recovered."""


class Figures:
    """Figures of one server."""

    def __init__(self, admission: Admission) -> None:
        self._admission, self._errors, self._last_error = admission, 0, 0.0
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

    def count(self, path: str, status: int, *, asks: bool) -> None:
        """Count a request. One that `asks` the model something says whether the server is healthy: not /health itself,
        whose 503 would keep it unhealthy for as long as anybody looks.
        """
        self.requests.labels(path, str(status)).inc()
        if asks and status >= 500:
            self._errors, self._last_error = self._errors + 1, time.monotonic()
        elif asks and status < 300:
            self._errors = 0

    @property
    def health(self) -> tuple[dict[str, Any], int]:
        """What /health answers, and its status: 503 where the last requests all ended with an error of the server."""
        ok = self._errors < MOST_ERRORS or time.monotonic() - self._last_error > FORGOTTEN
        status = "ok" if ok else "the last requests all failed: see the log, or restart the server"
        return {"status": status, "version": __version__, "waiting": self._admission.waiting}, 200 if ok else 503

    def text(self) -> bytes:
        """All of them."""
        return generate_latest(self._registry)

    @contextmanager
    def timed(self, histogram: Histogram, endpoint: str) -> Iterator[None]:
        """Observe how long a block takes that ends without an error."""
        begin = time.perf_counter()
        yield
        histogram.labels(endpoint).observe(time.perf_counter() - begin)
