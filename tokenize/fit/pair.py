"""Fitting the compact tokenizers on any speech: `fit(waves, folder)` writes both files.

Seeded, on one thread and in float32: the same waves in the same order give the same files on the same machine.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.audio.wave import Wave
from curation.tokenize.compact import codec as compact_codec
from curation.tokenize.compact import content as compact_content
from curation.tokenize.compact.codec import ClipFeatures
from curation.tokenize.compact.features import whisper_states
from curation.tokenize.compact.weights import save_weights
from curation.tokenize.fit.augment import perturbed, varied
from curation.tokenize.fit.codec import ClipPair, codec_tensors
from curation.tokenize.fit.content import content_tensors, shipped_projection
from curation.tokenize.fit.phone_projection import Projection
from curation.tokenize.fit.settings import FitSettings, Progress

DEFAULT = FitSettings()


def fit(
    waves: Iterable[Wave],
    folder: Path,
    settings: FitSettings = DEFAULT,
    progress: Progress = lambda what, fraction: None,  # noqa: ARG005
    projection: Projection | None = None,
) -> dict[str, str]:
    """Fit both tokenizers on mono 16 kHz float32 waves and write them to `folder`; file name -> hex SHA-256.

    `projection` of the content tokenizer comes from transcripts (phone_projection.py); None: the shipped one.
    Raises DataError where there are fewer content tokens than codes (about three minutes of speech are needed).
    """
    whisper, random = whisper_states(), np.random.default_rng([settings.seed, 1])
    waves = list(waves)
    samples, heard = sum(map(len, waves)) * (settings.copies + settings.channels), 0
    pairs = []
    for wave in varied(waves, settings.copies, settings.channels, settings.seed):
        clip = ClipFeatures.of(wave, whisper)
        copy = _halved(ClipFeatures.of(perturbed(wave, random), whisper)) if settings.consistency else clip
        pairs.append(ClipPair(clip, copy))
        heard += len(wave)
        progress("features", min(1.0, heard / samples))  # approximate: versions differ in speed
    progress("features", 1.0)
    codebook = content_tensors([pair.clip for pair in pairs], settings, projection or shipped_projection())
    codec = codec_tensors(pairs, settings, progress)
    return {
        file: save_weights(folder, file, tensors)
        for file, tensors in ((compact_content.FILE, codebook), (compact_codec.FILE, codec))
    }


def _halved(clip: ClipFeatures) -> ClipFeatures:
    """With states in half precision: hours of them are in memory at once, and a copy's are only compared with."""
    return replace(clip, states=clip.states.astype(np.float16))
