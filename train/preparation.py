"""Recordings as the pipeline prepares them before it cuts utterances, for a model that was trained on those.

    model = SpeechModel.open("checkpoint", prepare=Preparation())
    model.transcribe([read_wave("talk.mp3")])

A model of a few hours of speech has never heard a raw recording: noise at -60 dB alone changes half of the codec's
codes, and no utterance of a corpus begins with silence.
"""

import numpy as np

from curation.manifests.records import SAMPLE_RATE, Wave
from curation.stages.denoisers import DENOISERS
from curation.stages.energy import HOP, frame_energy
from curation.stages.loudness import peak_normalize

QUIET_DB = 40.0
"""What is so far below the loudest 10 ms, at either end, is not speech."""
MARGIN_SECONDS = 0.03
"""Kept at either end, about what the diarization of the pipeline leaves."""


class Preparation:
    """Denoises, trims silence at both ends and scales to the peak of training; for waves that went through the loudness
    stage, as those of `read_wave` did. The denoiser always applies; the pipeline asks DNSMOS first.
    """

    def __init__(self, denoiser: str = "rnnoise") -> None:
        self._denoiser = DENOISERS[denoiser]()
        self._denoiser.load()

    def __call__(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz, mono -> the same, not longer; silence stays as it is."""
        wave = np.asarray(wave, np.float32)
        if not np.any(wave):
            return wave
        return peak_normalize(trim(self._denoiser.denoise(peak_normalize(wave))))


def trim(wave: Wave) -> Wave:
    """Without the quiet at both ends, but for a margin."""
    levels = frame_energy(wave)
    loud = np.flatnonzero(levels > levels.max(initial=-np.inf) - QUIET_DB)
    margin = round(MARGIN_SECONDS * SAMPLE_RATE)
    return wave[max(0, loud[0] * HOP - margin) : (loud[-1] + 1) * HOP + margin] if len(loud) else wave
