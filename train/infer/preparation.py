"""Prepares recordings as the pipeline does before it cuts utterances, for a model that was trained on those.

    model = SpeechModel.open("checkpoint")                           # as the checkpoint says
    model = SpeechModel.open("checkpoint", prepare=Preparation())    # as builds do it by default
    model.transcribe([read_recording("talk.mp3")])

A model trained on a few hours of speech has never seen a raw recording: noise at -60 dB alone changes half of the
codec's codes, and no utterance of a corpus has half a second of noise around it, or a long pause in it.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from curation.audio.levels import peak_normalize
from curation.audio.quality import snr_db
from curation.audio.wave import Wave
from curation.core.errors import DataError
from curation.core.settings import Section
from curation.stages.denoise.stage import Denoise, DenoiseConfig
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.utterances import Utterances

S = TypeVar("S", bound=Section)

Prepare = Callable[[Wave], list[Wave]]
"""The utterances of a recording, (samples,) float32 at 16 kHz, mono: one or more, in order."""


def scaled(wave: Wave) -> list[Wave]:
    """The recording itself, scaled to the peak of training: for what is cut and prepared already."""
    return [peak_normalize(wave)]


class Preparation:
    """Denoises where the pipeline would, leaves out what is no speech, cuts at longer pauses, and scales each utterance
    to the peak of training.

    For waves that went through the loudness stage, as those of `read_recording` did.
    """

    def __init__(
        self,
        denoise: DenoiseConfig = DenoiseConfig(),  # noqa: B008 - it is frozen
        diarize: DiarizeConfig = DiarizeConfig(),  # noqa: B008 - it is frozen
    ) -> None:
        """With the settings of a build's denoise and diarize stages."""
        self._stage, self._speech = Denoise(denoise), Utterances(diarize)
        if denoise.choose != "never":
            self._stage.setup()

    def __call__(self, wave: Wave) -> list[Wave]:
        """The utterances, as `Prepare`; where nobody speaks, the whole."""
        wave = np.asarray(wave, np.float32)
        if not np.any(wave):
            return [wave]
        wave = peak_normalize(wave)
        places = self._speech.find(wave) or [(0, len(wave))]
        heard = self._stage.denoised(wave) if self._stage.chosen(snr_db(wave)) else wave
        return [peak_normalize(heard[start:end]) for start, end in places]


def checked_wave(wave: npt.ArrayLike) -> Wave:
    """The wave as float32. Raises DataError unless it is mono, of finite floats: samples of a sound file as integers
    would be 30,000 times too loud, or be taken for ids of a voice.
    """
    given = np.asarray(wave)
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.floating):
        msg = f"a wave must be floats from -1 to 1 of shape (samples,), not {given.dtype} of shape {given.shape}: "
        raise DataError(msg + "read the file with curation.train.infer.files.read_recording, or divide int16 by 32768")
    if not np.isfinite(given).all():
        msg = "a wave holds NaN or infinite samples: replace them, or read the file again"
        raise DataError(msg)
    return given.astype(np.float32)


def preparation_for(denoise: Mapping[str, Any] | None, cuts: Mapping[str, Any] | None = None) -> Prepare:
    """How a model's waves are prepared whose corpus was denoised and cut so; as `scaled` does where nothing is known.

    Raises DataError where the settings are not those of the denoise and the diarize stage.
    """
    if denoise is None and cuts is None:
        return scaled
    stage = _settings("denoise", DenoiseConfig, {"choose": "never"} if denoise is None else denoise)
    return Preparation(stage, _settings("cuts", DiarizeConfig, cuts or {}))


def _settings(name: str, kind: type[S], values: Mapping[str, Any]) -> S:
    try:
        return kind(**values)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        msg = (
            f"speech_tokenizers.json: {name}: {field}: {problem['msg']}; fix it, or say what is done to "
            "recordings (--prepare or --raw, prepare= in Python)"
        )
        raise DataError(msg) from error
