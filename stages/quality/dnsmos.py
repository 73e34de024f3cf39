"""DNSMOS P.835: predicted listening scores of speech (SIG), background (BAK) and overall quality (OVRL), 1 to 5.

Reddy, Gopal and Cutler, "DNSMOS P.835: A non-intrusive perceptual objective speech quality metric to evaluate noise
suppressors", ICASSP 2022. The ONNX model and the polynomials that map its output are those of the speechmos wheel
(`speechmos/dnsmos.py`), whose values this reproduces without librosa: windows of 9.01 s, one each second.

speechmos repeats shorter audio until it fills a window. The network only keeps the highest value of each feature over
time, so that all repetitions but the first say nothing new: here such audio is followed by its own first second, and
the model hears no more than that, for a cost in proportion. OVRL then differs from speechmos's by 0.03 on average.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ModelError
from curation.models.store import resolve

WINDOW_SECONDS = 9.01
WINDOW = int(WINDOW_SECONDS * SAMPLE_RATE)
"""Samples of the model's input."""
HOP, REPEATED = 160, SAMPLE_RATE
"""Samples of a frame, and of its beginning that shorter audio is followed by."""
FIXED, FREE = b"\x08\xa0\xe6\x08", b"\x12\x02LL"
"""In the file, the length of the input: as the number `WINDOW`, and as a name, which stands for any length."""
LAST = np.iinfo(np.int64).max
SHAPES = {
    "shape_tensor": [1, -1, HOP],
    "shape_tensor1": [1, -1, HOP],
    "input_1:01_cropping_end": [LAST, -HOP],
}
"""Constants of the graph that say how the samples are cut into frames: for one window, of any length."""
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
    """The model, run on the CPU with `threads` threads; about 0.02 s for a second on one core."""

    def __init__(self, model: str = "dnsmos", *, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # one would be kept for every length
        self._shapes = {name: onnxruntime.OrtValue.ortvalue_from_numpy(np.array(to)) for name, to in SHAPES.items()}
        for name, value in self._shapes.items():
            options.add_initializer(name, value)
        path = resolve(model) / "sig_bak_ovr.onnx"
        content = path.read_bytes()
        if content.count(FIXED) != 1:
            msg = f"quality.dnsmos_model: {path} is not the model of speechmos, whose input has {WINDOW} samples"
            raise ModelError(msg)
        self._session: Any = onnxruntime.InferenceSession(
            content.replace(FIXED, FREE), options, providers=["CPUExecutionProvider"]
        )

    def score(self, wave: Wave, max_windows: int | None = None) -> Quality:
        """Mean over the windows of (samples,) float32 at 16 kHz, or over `max_windows` spread evenly among them.

        Raises ValueError for empty audio.
        """
        if not len(wave):
            msg = "DNSMOS needs audio: got no samples"
            raise ValueError(msg)
        if len(wave) < WINDOW:
            wave = np.concatenate([wave, np.resize(wave, REPEATED)])[:WINDOW]
        # One window at a time: batches are slower (cache) and cost 220 MB for each further window.
        raw = [self._hear(wave[i : i + WINDOW]) for i in starts(wave, max_windows)]
        sig, bak, ovrl = np.asarray(raw, dtype=np.float64).T
        return Quality(float(_SIG(sig).mean()), float(_BAK(bak).mean()), float(_OVRL(ovrl).mean()))

    def _hear(self, wave: Wave) -> npt.NDArray[np.float32]:
        """The output (SIG, BAK, OVRL) for at most one window."""
        raw: npt.NDArray[np.float32] = self._session.run(None, {"input_1": wave[None, : len(wave) // HOP * HOP]})[0][0]
        return raw


def starts(wave: Wave, max_windows: int | None = None) -> list[int]:
    """First samples of the windows; shorter audio than a window is one."""
    count = max(1, int(len(wave) // SAMPLE_RATE - WINDOW_SECONDS) + 1)
    if max_windows is not None and max_windows < count:
        seconds = np.linspace(0, count - 1, max_windows).round().astype(int)
    else:
        seconds = np.arange(count)
    return [int(second) * SAMPLE_RATE for second in seconds]
