"""Audio of the segments that a page shows: as published, and as recorded, with what a waveform is drawn from.

Names of files are hashes of the segment: nothing that strangers have named becomes a path.
"""

import base64
import hashlib
import io
import logging
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.manifests.records import Source
from curation.stages.decode.stage import DecodeConfig, decode_spans

log = logging.getLogger(__name__)

Audio = Literal["opus", "flac", "none"]
BUCKETS = 240
"""Of a waveform."""
_ENCODINGS = {"opus": ("OGG", "OPUS"), "flac": ("FLAC", "PCM_16")}


def recorded(source: Source, start: float, seconds: float, decode: DecodeConfig) -> Wave | None:
    """The stretch of a recording, (samples,) float32, from its file, decoded as the build did it; None where that is
    not there or not readable.
    """
    part = replace(source, offset=(source.offset or 0.0) + start, duration=seconds)
    waves = [row.original for row in decode_spans(part, decode) if row.original is not None]
    if not waves:
        return None
    return np.concatenate(waves)


def encoded(wave: Wave, audio: Literal["opus", "flac"]) -> bytes:
    """A file of the waveform at 16 kHz."""
    container, codec = _ENCODINGS[audio]
    buffer = io.BytesIO()
    soundfile.write(buffer, wave, SAMPLE_RATE, format=container, subtype=codec)
    return buffer.getvalue()


def peaks(wave: Wave) -> str:
    """Greatest magnitude in each of `BUCKETS` equal parts, relative to the loudest, as base64 of bytes."""
    if not len(wave):
        return ""
    edges = np.linspace(0, len(wave), BUCKETS + 1).astype(np.int64)[:-1]
    found = np.maximum.reduceat(np.abs(wave), np.minimum(edges, len(wave) - 1))
    return base64.b64encode((255 * found / max(float(found.max()), 1e-9)).astype(np.uint8).tobytes()).decode()


def place(key: str) -> str:
    """Where the audio of a segment lies below `audio/`, without a suffix."""
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
    return f"{digest[:2]}/{digest[2:26]}"


def write(folder: Path, name: str, content: bytes) -> None:
    """A file below `audio/`."""
    path = folder / "audio" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
