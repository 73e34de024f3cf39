"""The GE2E speaker encoder as a pyannote.audio model.

A 3-layer LSTM over mel spectrograms of 1.6 s; the embedding of an utterance is the mean over its 1.6 s pieces,
scaled to unit norm. Source: Wan et al. 2018 (arXiv 1710.10467); features and weights are those of Resemblyzer 0.1.4
(audio.py and voice_encoder.py), with the same volume rule and the same pieces: `GE2E.embed` gives the same numbers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from pyannote.audio import Model
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pad, relu
from torchaudio.functional import melscale_fbanks

from curation.audio.wave import SAMPLE_RATE
from curation.models.safe_load import Trust, load_checkpoint

WINDOW, HOP, MELS = 400, 160, 40
PIECE_FRAMES = 160
"""Mel frames in a piece: 1.6 s."""
PIECE_STEP = 77
"""Mel frames between pieces (1.3 pieces per second)."""
MIN_COVERAGE = 0.75
"""The last piece may reach past the end, into zeros, if at least this part of it is signal."""
MIN_POWER = 10 ** (-30 / 10)
"""Quieter speech is raised to this level (-30 dB), because the mel has no logarithm."""
MIN_SECONDS = 0.4
"""Less speech characterises a speaker poorly. pyannote detects this limit, and where less is free of overlap it embeds
the overlapped speech as well."""
MIN_HOPS = 10
BATCH = 64
"""Pieces in one call of the LSTM: 2.2 ms a piece, against 7.6 ms one by one (1 thread)."""


class GE2E(Model):  # type: ignore[misc]  # pyannote has no type information
    """Speaker embeddings of waveforms: (batch, 1, samples) at 16 kHz -> (batch, 256), float32, unit norm."""

    dimension = 256

    def __init__(self) -> None:
        super().__init__(sample_rate=SAMPLE_RATE, num_channels=1)
        self.lstm = nn.LSTM(MELS, 256, num_layers=3, batch_first=True)
        self.linear = nn.Linear(256, self.dimension)
        filters = melscale_fbanks(WINDOW // 2 + 1, 0.0, SAMPLE_RATE / 2, MELS, SAMPLE_RATE, "slaney", "slaney")
        self.register_buffer("mel_filters", filters, persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    @classmethod
    def load(cls, path: Path) -> "GE2E":
        """Load Resemblyzer's `pretrained.pt`. Raises RuntimeError where the weights do not fit, ModelError for code."""
        weights = load_checkpoint(path, Trust(setting="diarize"))["model_state"]
        model = cls()
        model.load_state_dict({k: v for k, v in weights.items() if not k.startswith("similarity_")})
        model.eval()
        return model

    def forward(self, waveforms: Tensor, weights: Tensor | None = None) -> Tensor:
        """Embed the frames that `weights` (batch, frames) marks, joined together; all of them where it is None.

        Rows with less than 0.1 s marked become NaN, which the clustering ignores. Raises ValueError for
        waveforms shorter than `MIN_SECONDS`.
        """
        if waveforms.shape[-1] < MIN_SECONDS * SAMPLE_RATE:
            msg = f"a speaker embedding needs {MIN_SECONDS} s of audio, got {waveforms.shape[-1]} samples"
            raise ValueError(msg)
        unique, row = torch.unique_consecutive(waveforms[:, 0], dim=0, return_inverse=True)
        mel, power = self.features(unique)
        if weights is None:
            return self.embed_features([(mel[i], power[i]) for i in row])
        frames = waveforms.shape[-1] // HOP
        marked = interpolate(weights[:, None], size=frames, mode="nearest")[:, 0] > 0.5
        return self.embed_features(
            [(mel[i, :frames][mask], power[i][mask]) for i, mask in zip(row, marked, strict=True)]
        )

    def embed(self, waves: Sequence[Tensor]) -> Tensor:
        """Embeddings (utterances, 256) of whole utterances, each (samples,) of any length above 0.1 s."""
        features = [self.features(wave[None]) for wave in waves]
        return self.embed_features([(mel[0], power[0]) for mel, power in features])

    def features(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """Mel power spectrogram (batch, hops + 2, 40) without logarithm, and the mean square of each whole hop of
        10 ms (batch, hops). The frames are centred on multiples of 10 ms, with zeros around the signal; two more than
        the hops also see its last samples.
        """
        padded = pad(waves, (WINDOW // 2, WINDOW // 2 + HOP))
        window = cast("Tensor", self.window)
        spectrum = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True)
        mel = spectrum.abs().square().mT @ cast("Tensor", self.mel_filters)
        hops = waves.shape[-1] // HOP
        return mel, waves[:, : hops * HOP].square().reshape(-1, hops, HOP).mean(dim=-1)

    def embed_features(self, features: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Embeddings (rows, 256) of pairs of mel (frames, 40) and power (hops,); NaN below 0.1 s."""
        pieces = [cut_pieces(mel * gain(power), len(power)) for mel, power in features]
        batches = torch.split(torch.cat(pieces), BATCH)
        embedded = torch.cat([self.embed_pieces(batch) for batch in batches])
        means = [rows.mean(dim=0) for rows in torch.split(embedded, [len(piece) for piece in pieces])]
        return normalize(torch.stack(means), dim=1)

    def embed_pieces(self, pieces: Tensor) -> Tensor:
        """Embeddings (pieces, 256) of mel pieces (pieces, 160, 40)."""
        if len(pieces) == 0:
            return pieces.new_zeros(0, self.dimension)
        _, (hidden, _) = self.lstm(pieces)
        return normalize(relu(self.linear(hidden[-1])), dim=1)


def gain(power: Tensor) -> Tensor:
    """Factor on the power that raises speech of mean square `power` (hops,) to -30 dB; 1 where it is louder."""
    return (MIN_POWER / power.mean().clamp(min=1e-12)).clamp(min=1.0)


def cut_pieces(mel: Tensor, hops: int) -> Tensor:
    """Pieces (pieces, 160, 40) of a mel (frames, 40) of a signal of `hops`, 77 frames apart, zeros after the end;
    none below 0.1 s.
    """
    frames = len(mel)
    if hops < MIN_HOPS:
        return mel.new_zeros(0, PIECE_FRAMES, MELS)
    starts = list(range(0, max(1, hops + 2 - PIECE_FRAMES + PIECE_STEP), PIECE_STEP))
    if len(starts) > 1 and hops - starts[-1] < MIN_COVERAGE * PIECE_FRAMES:
        starts.pop()
    mel = pad(mel, (0, 0, 0, max(0, starts[-1] + PIECE_FRAMES - frames)))
    return torch.stack([mel[start : start + PIECE_FRAMES] for start in starts])
