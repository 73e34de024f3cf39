"""Measures for speech that went through a codec: WER of Whisper base, and similarity of GE2E speaker embeddings."""

import re
from functools import cache

import numpy as np
import rapidfuzz
import torch
from torch import nn

from curation.audio.wave import SAMPLE_RATE
from curation.models.store import resolve


class SpeakerEncoder(nn.Module):
    """The GE2E encoder (Wan et al. 2018): 40 mel bands, three LSTM layers of 256, a projection, unit length."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        state = torch.load(resolve("ge2e-speaker-encoder") / "pretrained.pt", map_location="cpu", weights_only=True)
        wanted = self.state_dict()
        self.load_state_dict({name: state["model_state"][name] for name in wanted})
        self.filters = slaney_filters(40, 400)

    @torch.inference_mode()
    def forward(self, wave):
        """Embedding (256,) of a wave: the mean over windows of 1.6 s, half overlapped."""
        wave = wave * min(10 ** (-30 / 20) / (np.sqrt(np.mean(wave**2)) + 1e-9), 20)
        frames = np.lib.stride_tricks.sliding_window_view(np.pad(wave, 200, mode="reflect"), 400)[::160]
        power = np.abs(np.fft.rfft(frames * np.hanning(401)[:-1])) ** 2
        mel = torch.from_numpy((power @ self.filters.T).astype(np.float32))
        starts = range(0, max(1, len(mel) - 159), 80)
        _, (hidden, _) = self.lstm(torch.stack([mel[s : s + 160] for s in starts]))
        each = nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=-1)
        return nn.functional.normalize(each.mean(0), dim=-1).numpy()


def slaney_filters(bands, size):
    """Area-normalised triangles on Slaney's mel scale, as librosa's defaults make them, (bands, size/2 + 1)."""

    def to_hz(mel):
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))

    top = 15 + 27 * np.log(8000 / 1000) / np.log(6.4)
    edges = to_hz(np.linspace(0, top, bands + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, size // 2 + 1)
    up = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    down = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0, np.minimum(up, down)) * (2 / (edges[2:] - edges[:-2]))[:, None]


@cache
def speaker_encoder():
    return SpeakerEncoder().eval()


def similarity(a, b):
    """Cosine of the speaker embeddings of two waves."""
    return float(speaker_encoder()(a) @ speaker_encoder()(b))


@cache
def whisper_base():
    from faster_whisper import WhisperModel

    return WhisperModel(str(resolve("whisper-base")), device="cpu", compute_type="int8", cpu_threads=1)


def heard(wave):
    """What Whisper base hears, lower case without punctuation."""
    pieces, _ = whisper_base().transcribe(wave, language="en", beam_size=5, condition_on_previous_text=False)
    return words(" ".join(piece.text for piece in pieces))


def words(text):
    """Lower-case words; titles as they are spoken."""
    text = text.lower().replace("mr.", "mister").replace("-", " ")
    return re.sub(r"[^a-z0-9' ]", "", text).split()


def errors(reference, hypothesis):
    """Word edits between two lists of words."""
    return rapidfuzz.distance.Levenshtein.distance(reference, hypothesis)
