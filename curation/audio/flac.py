"""FLAC of utterances, as staging and shards hold them."""

import io

import soundfile

from curation.audio.wave import SAMPLE_RATE, Wave


def encode_flac(wave: Wave) -> bytes:
    """16-bit FLAC of a waveform, (samples,) float32 at 16 kHz; values outside -1..1 are clipped by soundfile."""
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def decode_flac(content: bytes) -> Wave:
    """The inverse of `encode_flac`: (samples,) float32 on the 16-bit grid."""
    wave: Wave = soundfile.read(io.BytesIO(content), dtype="float32")[0]
    return wave
