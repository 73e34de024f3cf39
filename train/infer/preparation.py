"""Prepares recordings as the pipeline does before it cuts utterances, for a model that was trained on those.

    model = SpeechModel.open("checkpoint")                           # as the checkpoint says
    model = SpeechModel.open("checkpoint", prepare=Preparation())    # as builds do it by default
    model.transcribe([read_recording("talk.mp3")])

A model trained on a few hours of speech has never seen a raw recording: noise at -60 dB alone changes half of the
codec's codes, and no utterance of a corpus starts with silence.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from curation.audio.levels import HOP, frame_energy, peak_normalize
from curation.audio.quality import snr_db
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError
from curation.stages.denoise.stage import Denoise, DenoiseConfig

Prepare = Callable[[Wave], Wave]

QUIET_DB = 40.0
"""Audio this far below the loudest 10 ms, at either end, is not speech."""
MARGIN_SECONDS = 0.03
"""Kept at either end, about what the diarization of the pipeline leaves."""


class Preparation:
    """Denoises where the pipeline would, trims silence at both ends and scales to the peak of training.

    For waves that went through the loudness stage, as those of `read_recording` did.
    """

    def __init__(self, denoise: DenoiseConfig = DenoiseConfig()) -> None:  # noqa: B008 - it is frozen
        """With the settings of a build's denoise stage."""
        self._stage = Denoise(denoise)
        if denoise.choose != "never":
            self._stage.setup()

    def __call__(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz, mono -> the same, not longer; silence stays as it is."""
        wave = np.asarray(wave, np.float32)
        if not np.any(wave):
            return wave
        wave = peak_normalize(wave)
        return peak_normalize(trim(self._stage.denoised(wave) if self._stage.chosen(snr_db(wave)) else wave))


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


def preparation_for(settings: Mapping[str, Any] | None) -> Prepare:
    """How a model's waves are prepared whose corpus had a denoise stage with such settings; None: scaled to the peak.

    Raises DataError where the settings are not those of the denoise stage.
    """
    if settings is None:
        return peak_normalize
    try:
        config = DenoiseConfig(**settings)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        msg = (
            f"speech_tokenizers.json: denoise: {field}: {problem['msg']}; fix it, or say what is done to "
            "recordings (--prepare or --raw, prepare= in Python)"
        )
        raise DataError(msg) from error
    return Preparation(config)


def trim(wave: Wave) -> Wave:
    """Without the silence at both ends, except for a margin."""
    levels = frame_energy(wave)
    loud = np.flatnonzero(levels > levels.max(initial=-np.inf) - QUIET_DB)
    margin = round(MARGIN_SECONDS * SAMPLE_RATE)
    return wave[max(0, loud[0] * HOP - margin) : (loud[-1] + 1) * HOP + margin] if len(loud) else wave
