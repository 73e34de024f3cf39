"""Stops a build in which a model is broken: going on would label everything that is left as `failed`."""

from collections.abc import Mapping

from curation.core.errors import ModelError
from curation.manifests.error_rates import RECORDING, ErrorRate, add_rates

MIN_CALLS = 100
"""A rate of fewer calls says little."""


class Breaker:
    """Counts the errors of one run."""

    def __init__(self, max_fraction: float) -> None:
        self._max = max_fraction
        self._rates: dict[str, ErrorRate] = {}

    def add(self, rates: Mapping[str, ErrorRate]) -> None:
        """Count what a batch brought. Raises ModelError where something breaks too often."""
        add_rates(self._rates, rates)
        for name in rates:
            rate = self._rates[name]
            if rate.calls >= MIN_CALLS and rate.fraction > self._max:
                what = "stages" if name == RECORDING else name
                calls = f"{rate.errors} of {rate.calls} {'recordings' if name == RECORDING else 'utterances'}"
                msg = (
                    f"{what} broke on {calls}, more than engine.max_error_fraction = {self._max:g}; the latest: "
                    f"{rate.example}. Mend it and run the same command again; what failed until then is labelled "
                    f"again with --retry-failed"
                )
                raise ModelError(msg)
