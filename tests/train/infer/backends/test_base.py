"""A model needs no more of what answers its requests than the seam says."""

import numpy as np

from curation.train.evaluate.serving import describe
from curation.train.infer.backends.base import Backend
from curation.train.infer.speech_model import SpeechModel
from tests.support.real_speech import librivox

VOICE = librivox()[0][:16_000]
SEAM = {name for name in vars(Backend) if not name.startswith("_")}


class Only:
    """An engine, behind the seam."""

    def __init__(self, engine):
        self._engine = engine

    def __getattr__(self, name):
        assert name in SEAM, f"{name} is not part of the seam"
        return getattr(self._engine, name)


def test_a_model_needs_no_more_than_the_seam(model):
    assert {"submit", "follow", "cancel", "run", "describe", "slots", "length"} == SEAM
    behind = SpeechModel(model.tokenizers, Only(model.engine))
    assert behind.transcribe([VOICE]) == model.transcribe([VOICE]) == ["".join(behind.transcribe_stream(VOICE))]
    spoken = model.speak(["Yes."], [VOICE])[0]
    np.testing.assert_array_equal(behind.speak(["Yes."], [VOICE])[0], spoken)
    np.testing.assert_allclose(np.concatenate(list(behind.speak_stream("Yes.", VOICE))), spoken, rtol=0, atol=2e-5)
    np.testing.assert_array_equal(behind.convert([VOICE], [VOICE])[0], model.convert([VOICE], [VOICE])[0])
    assert describe(behind) == describe(model)
