"""RNNoise (Valin, "A Hybrid DSP/Deep Learning Approach to Real-Time Full-Band Speech Enhancement", MMSP 2018).

Calls the C library of the pyrnnoise wheel directly; the package itself writes 16-bit frames through FFmpeg filters.
The library works on frames of 10 ms at 48 kHz, in 16-bit units.
"""

import ctypes
import sys

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.stages.denoise.base import Denoiser

RNNOISE_RATE = 48_000
DELAY = 960
"""Samples at 48 kHz by which the output lags: one frame of overlap-add and one of look-ahead (found by
cross-correlation on speech; tests/stages/denoise/test_stage.py measures it again)."""
INT16_SCALE = np.float32(32768.0)

_LIBRARIES = {"linux": "librnnoise.so", "darwin": "librnnoise.dylib", "win32": "rnnoise.dll"}


class RNNoise(Denoiser):
    """The library's built-in model. About 33 x real time on one core."""

    kind = "rnnoise"
    models = ("rnnoise",)
    resources = Resources(memory_gib=0.05)

    def __init__(self, model: str = "rnnoise") -> None:
        self.model = model

    def load(self) -> None:
        """Open the shared library in the folder `model`. Raises ModelError where there is none for this system."""
        path = resolve(self.model) / _LIBRARIES.get(sys.platform, "librnnoise.so")
        try:
            library = ctypes.CDLL(str(path))
        except OSError as error:
            msg = f"cannot load {path} ({error}): pip install --force-reinstall pyrnnoise==0.4.5"
            raise ModelError(msg) from error
        library.rnnoise_create.argtypes = [ctypes.c_void_p]
        library.rnnoise_create.restype = ctypes.c_void_p
        library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
        library.rnnoise_process_frame.argtypes = [ctypes.c_void_p] * 3
        library.rnnoise_process_frame.restype = ctypes.c_float
        self._library = library
        self._frame: int = library.rnnoise_get_frame_size()

    def denoise(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz, within -1..1 -> the same shape, aligned."""
        import soxr

        if not len(wave):
            return wave.copy()
        full_band = soxr.resample(wave, SAMPLE_RATE, RNNOISE_RATE, quality="VHQ")
        frames = -(-(len(full_band) + DELAY) // self._frame)
        padded = np.pad(full_band, (0, frames * self._frame - len(full_band)))
        padded *= INT16_SCALE
        self._run(padded)
        aligned = padded[DELAY : DELAY + len(full_band)] / INT16_SCALE
        narrow = soxr.resample(aligned, RNNOISE_RATE, SAMPLE_RATE, quality="VHQ")
        return np.asarray(narrow[: len(wave)], dtype=np.float32)

    def _run(self, samples: Wave) -> None:
        """Denoise whole frames in place, with a fresh state."""
        process, address = self._library.rnnoise_process_frame, samples.ctypes.data
        step = self._frame * samples.itemsize
        state = self._library.rnnoise_create(None)
        try:
            for position in range(address, address + samples.nbytes, step):
                process(state, position, position)
        finally:
            self._library.rnnoise_destroy(state)
