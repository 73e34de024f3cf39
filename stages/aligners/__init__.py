"""Forced aligners: one adapter per file, chosen by `punctuate.aligner`."""

from curation.stages.aligners.base import Aligner, Interval
from curation.stages.aligners.pocketsphinx import PocketSphinx

ALIGNERS: dict[str, type[Aligner]] = {"pocketsphinx": PocketSphinx}
"""Kind in the configuration -> adapter."""

__all__ = ["ALIGNERS", "Aligner", "Interval", "PocketSphinx"]
