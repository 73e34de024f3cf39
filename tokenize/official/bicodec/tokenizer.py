"""BiCodec, the codec of Spark-TTS and GPA: 50 semantic tokens a second, 32 global tokens a clip, and back to speech.

Official checkpoint format (Spark-TTS, arXiv 2503.01710). Semantic tokens depend on wav2vec2 features only, global
tokens on the mel of the reference clip only.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError
from curation.tokenize.base import META, CodecTokens, Ids, Vectors
from curation.tokenize.files import find_weights, read_config, require
from curation.tokenize.official.batching import batch_samples, check_wave, run_buckets
from curation.tokenize.official.bicodec.features import Wav2Vec2Features, Wave64, normalize_volume, reference_clip
from curation.tokenize.official.bicodec.model import BiCodec, find_layout
from curation.tokenize.official.bicodec.synthesis import BiCodecStream, Synthesis, Window, within
from curation.tokenize.official.checkpoints import exact_float32, fingerprint
from curation.tokenize.official.together import Together
from curation.tokenize.speech import speech


class BiCodecTokenizer:
    """CodecTokenizer on an official folder.

    Licence of the official weights: CC-BY-NC-SA-4.0 (no commercial use). Raises DataError where a file, field or key
    is missing, extra or misshapen.
    """

    name = "bicodec"

    def __init__(self, folder: Path, device: str = "cpu", batch_seconds: float | None = None) -> None:
        layout = find_layout(Path(folder))
        config, settings = read_config(layout.config), read_config(layout.settings)
        _check_rate(settings, layout.settings)
        weights = find_weights(layout.model)
        self.model = BiCodec(require(config, "audio_tokenizer", layout.config), layout.config)
        self.features = Wav2Vec2Features(layout.wav2vec2)
        if device != META:
            self.model.load(weights)
            self.model.to(device)
            self.features.load()
            self.features.to(device)
        self.device = torch.device(device)
        self.batch_samples = batch_samples(device, batch_seconds)
        hop = int(require(settings, "latent_hop_length", layout.settings))
        seconds = require(settings, "ref_segment_duration", layout.settings)
        self.reference_samples = int(SAMPLE_RATE * seconds) // hop * hop
        self.volume_normalize = bool(require(settings, "volume_normalize", layout.settings))
        self.semantic_size: int = self.model.quantizer.codebook.num_embeddings
        self.global_size: int = self.model.speaker_encoder.quantizer.size
        self.num_global: int = len(self.model.speaker_encoder.perceiver_sampler.latents)
        self.frames_per_token: int = math.prod(self.model.encoder.downsample.ratios)
        self.synthesis = Synthesis(self.model, self.batch_samples)
        self.token_samples, self.reach = self.synthesis.token_samples, self.synthesis.reach
        self.look_ahead = self.first_look_ahead = self.reach[1]  # what less costs was not heard: it takes real weights
        self._encoding = Together(self._encode, len, self.batch_samples)
        self._describing = Together(self._voices, lambda _: self.reference_samples, self.batch_samples)
        files = [*sorted({layout.config, layout.settings}), weights, *self.features.files]
        self.fingerprint = fingerprint(self.name, files)

    def num_semantic(self, num_samples: int) -> int:
        """floor((samples - 400) / 320) + 1 with the official figures; 0 for shorter clips, which cannot be encoded."""
        frames: int = self.features.num_frames(num_samples)
        return frames // self.frames_per_token

    def encode(self, waves: Sequence[Wave]) -> list[CodecTokens]:
        """Tokens of each clip. Raises DataError for a clip without semantic tokens (under 400 samples)."""
        minimum = self.features.min_samples(self.frames_per_token)
        clips = [self.volume_normalized(check_wave(wave, minimum, self.name)) for wave in waves]
        tokens = self._encoding(clips)
        return [self._checked(item, len(clip)) for item, clip in zip(tokens, clips, strict=True)]

    def voices(self, waves: Sequence[Wave]) -> list[Ids]:
        """Global ids of each clip, as `encode` gives them; without wav2vec2, for clips of any length."""
        return self._describing([self.volume_normalized(check_wave(wave, 1, self.name)) for wave in waves])

    def code_vectors(self) -> tuple[Vectors, Vectors]:
        """The codebook on the unit sphere (codes, size), as it is searched; the scalars of the global codes."""
        semantic = F.normalize(self.model.quantizer.codebook.weight.detach(), dim=-1)
        global_ = self.model.speaker_encoder.quantizer.codes(torch.arange(self.global_size))
        return np.asarray(semantic.float().cpu().numpy()), np.asarray(global_.numpy())

    def decode(self, tokens: Sequence[CodecTokens]) -> list[Wave]:
        """Speech (320 · tokens,) float32 of each item; the same, to rounding, whatever is in the batch."""
        semantics = [within(item.semantic, self.semantic_size, "semantic") for item in tokens]
        if not tokens:
            return []
        vectors = self.dvector([item.global_ for item in tokens])
        whole = [Window(ids, 0, len(ids), vector) for ids, vector in zip(semantics, vectors, strict=True)]
        return self.synthesis(whole)

    def decode_stream(
        self,
        chunks: Iterable[Ids],
        global_: Ids,
        look_ahead: int | None = None,
        first_look_ahead: int | None = None,
    ) -> Iterator[Wave]:
        """Speech of semantic ids that arrive in chunks (`curation.tokenize.speech`). Memory does not grow."""
        stream = BiCodecStream(self.synthesis, self.dvector([global_])[0], self.semantic_size)
        return speech(stream, chunks, look_ahead, first_look_ahead)

    def volume_normalized(self, wave: Wave) -> Wave64:
        """Apply the volume rule in float64, if the configuration says so."""
        exact = wave.astype(np.float64)
        return normalize_volume(exact) if self.volume_normalize else exact

    def mel(self, waves: Sequence[Wave64]) -> Tensor:
        """Compute the mel (batch, mels, frames) of the reference clips of waves after the volume rule."""
        clips = np.stack([reference_clip(wave, self.reference_samples) for wave in waves])
        mel: Tensor = self.model.mel_transformer(torch.from_numpy(clips).to(self.device))
        return mel

    def dvector(self, globals_: Sequence[Ids]) -> Tensor:
        """Decode global ids, each (32,), to vectors (batch, out_dim)."""
        ids = np.stack([within(ids, self.global_size, "global") for ids in globals_])
        if ids.shape[1] != self.num_global:
            msg = f"{self.name}: {ids.shape[1]} global ids, expected {self.num_global}"
            raise ValueError(msg)
        with exact_float32():
            vectors: Tensor = self.model.speaker_encoder.dvector(torch.from_numpy(ids).to(self.device))
        return vectors

    def _encode(self, clips: list[Wave64]) -> list[CodecTokens]:
        return run_buckets(clips, [len(clip) for clip in clips], self.batch_samples, self._encode_batch)

    def _encode_batch(self, clips: list[Wave64]) -> list[tuple[CodecTokens, bool]]:
        """Of clips after the volume rule."""
        model = self.model
        with exact_float32():
            features, frames = self.features(clips)
            lengths = None if bool((frames == frames[0]).all()) else frames
            semantic = model.quantizer.ids(model.quantizer.project(model.encoder(features, lengths)))
            global_ = model.speaker_encoder.ids(self.mel(clips))
        ids, certain, speakers, speakers_certain = (x.cpu().numpy() for x in (*semantic, *global_))
        counts = [self.num_semantic(len(clip)) for clip in clips]
        return [
            (
                CodecTokens(ids[i, :n].astype(np.int32), speakers[i].astype(np.int32)),
                bool(certain[i, :n].all() and speakers_certain[i].all()),
            )
            for i, n in enumerate(counts)
        ]

    def _voices(self, clips: list[Wave64]) -> list[Ids]:
        lengths = [self.reference_samples] * len(clips)
        return run_buckets(clips, lengths, self.batch_samples, self._voices_batch)

    def _voices_batch(self, clips: list[Wave64]) -> list[tuple[Ids, bool]]:
        with exact_float32():
            ids, certain = self.model.speaker_encoder.ids(self.mel(clips))
        found = zip(ids.cpu().numpy().astype(np.int32), certain.cpu().numpy(), strict=True)
        return [(row, bool(sure.all())) for row, sure in found]

    def _checked(self, tokens: CodecTokens, num_samples: int) -> CodecTokens:
        expected = (self.num_semantic(num_samples), self.num_global)
        if (len(tokens.semantic), len(tokens.global_)) != expected:
            msg = f"{self.name}: {len(tokens.semantic)} semantic ids for {num_samples} samples, expected {expected[0]}"
            raise ValueError(msg)
        return tokens


def _check_rate(settings: dict[str, Any], source: Path) -> None:
    if require(settings, "sample_rate", source) != SAMPLE_RATE:
        msg = f"{source}: sample_rate is {settings['sample_rate']}, expected {SAMPLE_RATE}"
        raise DataError(msg)
