"""Audio files in any format to the waves that the model hears, and back to files.

A recording is treated as in the first stages of a build: decoded to mono at 16 kHz, compressed and scaled.
"""

from pathlib import Path

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import ConfigError
from curation.manifests.records import Recording, Source
from curation.stages.decode.stage import DecodeConfig, decode_spans
from curation.stages.loudness import Loudness


def read_wave(path: str, *, loudness: bool = True) -> Wave:
    """Read a whole file, local or at an fsspec URL. Raises ConfigError, with the remedy, where a part is unreadable."""
    spans = list(decode_spans(Source(path, path), DecodeConfig()))
    broken = next((span.verdict for span in spans if span.verdict and span.verdict.status == "failed"), None)
    if broken is not None:
        msg = f"{path}: {broken.detail}"
        raise ConfigError(msg)
    waves = [np.zeros(span.num_samples, np.float32) if span.audio is None else span.audio for span in spans]
    whole = Recording(Source(path, path), num_samples=0, audio=np.concatenate(waves))
    if loudness:
        Loudness().process([whole])
    return np.asarray(whole.audio, np.float32)


def write_wave(path: Path, wave: Wave) -> None:
    """Write 16-bit audio; the suffix says the format (.wav, .flac, .ogg). Raises ConfigError for an unknown one."""
    import soundfile

    if path.suffix.lower().lstrip(".").upper() not in soundfile.available_formats():
        msg = f"{path}: cannot write {path.suffix or 'a file without a suffix'}; use .wav, .flac or .ogg"
        raise ConfigError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, SAMPLE_RATE)
