"""The acoustic model and dictionary in tests/data/mfa/golden, and whether Montreal Forced Aligner is installed."""

from pathlib import Path

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.mfa.adapter import MontrealForcedAligner
from curation.stages.punctuate.mfa.models import MfaConfig, missing

GOLDEN = Path(__file__).parents[2] / "data" / "mfa" / "golden"
MODELS = {"acoustic_model": f"path:{GOLDEN / 'acoustic.zip'}", "dictionary": f"path:{GOLDEN / 'dictionary.dict'}"}
NOT_HERE = missing(MfaConfig(**MODELS, run="memory"))
needs_mfa = pytest.mark.skipif(bool(NOT_HERE), reason=f"Montreal Forced Aligner is not here: {NOT_HERE}")
without_mfa = pytest.mark.skipif(not NOT_HERE, reason="Montreal Forced Aligner is installed here")
SENTENCE = "Unless to be rather cold-hearted, and rather Selfishzq \u2014 is to be ill-disposed."
SILENCE = np.zeros(5 * SAMPLE_RATE, np.float32)


def loaded(**settings):
    """The aligner with the golden models, MFA itself in this process."""
    aligner = MontrealForcedAligner(MfaConfig(**{**MODELS, "run": "memory", **settings}))
    aligner.load()
    return aligner


def starts(placed):
    """Seconds at which words start; None for those without a place."""
    return [None if one is None else round(one.start / SAMPLE_RATE, 3) for one in placed]
