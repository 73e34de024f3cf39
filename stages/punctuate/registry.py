"""Forced aligners: one adapter per file, chosen by `punctuate.aligner`."""

from curation.stages.punctuate.base import Aligner, Interval, Placed, Spoken
from curation.stages.punctuate.mfa.adapter import MontrealForcedAligner
from curation.stages.punctuate.mfa.models import MfaConfig
from curation.stages.punctuate.pocketsphinx import PocketSphinx

ALIGNERS = ("pocketsphinx", "mfa")
"""Kinds in the configuration."""


def make_aligner(kind: str, mfa: MfaConfig | None = None) -> Aligner:
    """The adapter of a kind, not loaded; `mfa` are the settings of that one. Raises ValueError for an unknown kind."""
    if kind == "pocketsphinx":
        return PocketSphinx()
    if kind == "mfa":
        return MontrealForcedAligner(mfa)
    msg = f"unknown aligner {kind!r}: expected one of {', '.join(ALIGNERS)}"
    raise ValueError(msg)


__all__ = ["ALIGNERS", "Aligner", "Interval", "MfaConfig", "Placed", "PocketSphinx", "Spoken", "make_aligner"]
