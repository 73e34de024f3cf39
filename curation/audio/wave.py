"""The representation of waveforms inside the pipeline."""

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Hz. Every waveform inside the pipeline is mono float32 at this rate."""

Wave = npt.NDArray[np.float32]
"""A mono waveform, shape (samples,), float32, nominally within -1..1, at `SAMPLE_RATE`."""
