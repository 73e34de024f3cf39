"""Speaker embeddings of waveforms by CAM++: Kaldi's mel filter banks, less their mean, through the network.

Weights: `campplus_cn_en_common.pt` of 3D-Speaker, trained on 200,000 speakers of Chinese and English. Distance of two
embeddings is 1 - cosine, 0..2.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import normalize

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve
from curation.models.torch_compat import import_torchaudio
from curation.stages.diarize.campplus.network import DIMENSION, MELS, CamPlusPlus

CHECKPOINT = "campplus_cn_en_common.pt"
MIN_SAMPLES = SAMPLE_RATE // 10
"""Less than 0.1 s says nothing about a voice."""
PIECE = 20 * SAMPLE_RATE
"""Longer waves are embedded in equal pieces of at most 20 s, whose mean counts: memory stays below 0.2 GiB."""
WINDOW_FRAMES, WINDOW_STEP = 150, 75
"""Frames of 10 ms: a window of 1.5 s is the shortest that tells voices apart."""
BATCH = 16

Embeddings = npt.NDArray[np.float32]


@cache
def load_encoder(reference: str) -> "SpeakerEncoder":
    """The encoder of a reference, loaded once in a process. Raises ModelError, RuntimeError for other weights."""
    path = resolve(reference)
    return SpeakerEncoder(CamPlusPlus.load(path / CHECKPOINT if path.is_dir() else path))


class SpeakerEncoder:
    """Embeddings (…, 192), float32, rows of unit norm; NaN below 0.1 s. The result for a wave depends on it only."""

    dimension = DIMENSION

    def __init__(self, network: CamPlusPlus) -> None:
        self.network = network

    def embed(self, waves: Sequence[Wave]) -> Embeddings:
        """Of whole waves, each (samples,) at 16 kHz: (waves, 192)."""
        rows = [self._one(wave) for wave in waves]
        return np.stack(rows) if rows else np.zeros((0, DIMENSION), np.float32)

    def windows(self, wave: Wave) -> Embeddings:
        """Of windows of 1.5 s, 0.75 s apart: (windows, 192); none of a shorter wave."""
        mel = filter_banks(wave)
        starts = range(0, len(mel) - WINDOW_FRAMES + 1, WINDOW_STEP)
        found = [self._run([mel[start : start + WINDOW_FRAMES] for start in part]) for part in batches(starts)]
        return np.concatenate(found) if found else np.zeros((0, DIMENSION), np.float32)

    def _one(self, wave: Wave) -> Embeddings:
        if len(wave) < MIN_SAMPLES:
            return np.full(DIMENSION, np.nan, np.float32)
        pieces = np.array_split(wave, -(-len(wave) // PIECE))
        mean = np.mean([self._run([filter_banks(piece)])[0] for piece in pieces], axis=0)
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def _run(self, mels: Sequence[Tensor]) -> Embeddings:
        with torch.inference_mode():
            batch = torch.stack([mel - mel.mean(dim=0) for mel in mels])
            return cast("Embeddings", normalize(self.network(batch), dim=1).numpy())


def filter_banks(wave: Wave) -> Tensor:
    """Logarithms of 80 mel filter banks, (frames of 10 ms, 80), as Kaldi computes them, without dither."""
    kaldi = import_torchaudio().compliance.kaldi
    if len(wave) < MIN_SAMPLES:
        return torch.zeros(0, MELS)
    return cast("Tensor", kaldi.fbank(torch.from_numpy(np.ascontiguousarray(wave))[None], num_mel_bins=MELS))


def batches(starts: range) -> Iterator[range]:
    """Parts of a few."""
    return (starts[first : first + BATCH] for first in range(0, len(starts), BATCH))
