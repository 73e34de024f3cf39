"""DNSMOS P.835: predicted listening scores of speech (SIG), background (BAK) and overall quality (OVRL), 1 to 5.

Reddy, Gopal and Cutler, "DNSMOS P.835: A non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors", ICASSP 2022. The ONNX model and the polynomials that map its output are those of the speechmos wheel
(`speechmos/dnsmos.py`), whose values this reproduces without librosa: windows of 9.01 s, one each second; shorter audio
is doubled until it fills a window.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve

WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * SAMPLE_RATE)
"""Samples of the model's input."""
_SIG = np.poly1d([-0.08397278, 1.22083953, 0.0052439])
_BAK = np.poly1d([-0.13166888, 1.60915514, -0.39604546])
_OVRL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])


@dataclass(frozen=True, slots=True)
class Quality:
    """Mean scores of some audio."""

    sig: float
    bak: float
    ovrl: float


class Dnsmos:
    """The model, run on the CPU with `threads` threads; about 0.18 s for a window on one core."""

    def __init__(self, model: str = "dnsmos", *, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        path = resolve(model) / "sig_bak_ovr.onnx"
        self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def score(self, wave: Wave, max_windows: int | None = None) -> Quality:
        """Mean over the windows of (samples,) float32 at 16 kHz, or over `max_windows` spread evenly among them.

        Raises ValueError for empty audio.
        """
        if not len(wave):
            msg = "DNSMOS needs audio: got no samples"
            raise ValueError(msg)
        while len(wave) < WINDOW:
            wave = np.concatenate([wave, wave])
        # One window at a time: batches are slower (cache) and cost 220 MB for each further window.
        raw = [
            self._session.run(None, {"input_1": wave[None, i : i + WINDOW]})[0][0] for i in starts(wave, max_windows)
        ]
        sig, bak, ovrl = np.asarray(raw, dtype=np.float64).T
        return Quality(float(_SIG(sig).mean()), float(_BAK(bak).mean()), float(_OVRL(ovrl).mean()))


def starts(wave: Wave, max_windows: int | None = None) -> list[int]:
    """First samples of the windows of audio that is at least one window long."""
    count = int(len(wave) // SAMPLE_RATE - WINDOW_SECONDS) + 1
    if max_windows is not None and max_windows < count:
        seconds = np.linspace(0, count - 1, max_windows).round().astype(int)
    else:
        seconds = np.arange(count)
    return [int(second) * SAMPLE_RATE for second in seconds]
