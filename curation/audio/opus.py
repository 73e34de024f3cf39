"""Opus of utterances, in Ogg. FFmpeg writes it: libsndfile gives each file a random serial number, so that equal audio
would make different bytes.
"""

import io

import av
import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave

BIT_RATE = 32_000


def encode_opus(wave: Wave) -> bytes:
    """Ogg Opus of a waveform, (samples,) float32 at 16 kHz; the same bytes each time, and as many samples when read."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="ogg", container_options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE)
        stream.layout, stream.bit_rate = "mono", BIT_RATE
        samples = np.round(np.clip(wave, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return buffer.getvalue()
