"""The GLM-4-Voice speech tokenizer: 12.5 ASR-supervised tokens a second, in the official checkpoint format.

A Whisper encoder cut at the quantiser, with causal convolutions and block-causal attention, average pooling and a
codebook (GLM-4-Voice, arXiv 2412.02612, section 2.1; released as zai-org/glm-4-voice-tokenizer). Audio is cut every
30 s and each chunk is tokenized on its own, as the release does: the log-mel floor depends on a chunk's maximum.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError
from curation.tokenize.base import META, Ids, Vectors
from curation.tokenize.files import find_weights, read_config, read_tensors, require
from curation.tokenize.official.batching import batch_samples, check_wave, nearest, pad_stack, run_buckets
from curation.tokenize.official.checkpoints import exact_float32, fingerprint, load_strict
from curation.tokenize.official.together import Together

CONV_STRIDE = 2
"""Mel frames per encoder frame (the stride of conv2)."""
OLD_PREFIX = "model.encoder."
POOLINGS: dict[str, Callable[[Tensor, int], Tensor]] = {"avg": F.avg_pool1d, "max": F.max_pool1d}


class Layer(nn.Module):
    """A pre-norm Whisper encoder layer, without dropout."""

    def __init__(self, config: Mapping[str, Any], source: Path) -> None:
        super().__init__()
        from transformers.activations import ACT2FN

        dim, inner = require(config, "d_model", source), require(config, "encoder_ffn_dim", source)
        self.heads = int(require(config, "encoder_attention_heads", source))
        self.self_attn = nn.ModuleDict(
            {f"{name}_proj": nn.Linear(dim, dim, bias=name != "k") for name in ("k", "v", "q", "out")}
        )
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.activation = ACT2FN[config.get("activation_function", "gelu")]
        self.fc1, self.fc2 = nn.Linear(dim, inner), nn.Linear(inner, dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """One layer: x (batch, frames, dim); mask (batch, 1, frames, frames), true where a query sees a key."""
        normed = self.self_attn_layer_norm(x)
        q, k, v = (self.self_attn[f"{name}_proj"](normed).unflatten(-1, (self.heads, -1)) for name in "qkv")
        seen = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
        x = x + self.self_attn["out_proj"](seen.transpose(1, 2).flatten(2))
        inner: Tensor = self.activation(self.fc1(self.final_layer_norm(x)))
        return torch.add(x, self.fc2(inner))


class Encoder(nn.Module):
    """Log-mel frames to the vectors that are compared with the codebook. Attribute names are the checkpoint's."""

    def __init__(self, config: Mapping[str, Any], source: Path) -> None:
        super().__init__()
        dim, mels = int(require(config, "d_model", source)), int(require(config, "num_mel_bins", source))
        positions = int(require(config, "max_source_positions", source))
        self.last_layer = int(require(config, "quantize_position", source))
        self.pool = int(config.get("pooling_kernel_size") or 1)
        self.pool_after = int(config.get("pooling_position") or 0) if self.pool > 1 else 0
        self.pool_type = config.get("pooling_type", "max")
        self.block = config.get("quantize_causal_block_size")
        self.causal = bool(config.get("encoder_causal_attention") or config.get("quantize_causal_encoder"))
        causal_convolution = bool(config.get("encoder_causal_convolution"))
        self.left_padding = 2 if causal_convolution else 0
        padding = 0 if causal_convolution else 1
        self.conv1 = nn.Conv1d(mels, dim, 3, padding=padding)
        self.conv2 = nn.Conv1d(dim, dim, 3, stride=CONV_STRIDE, padding=padding)
        self.embed_positions = nn.Embedding(positions, dim)
        self.layers = nn.ModuleList(Layer(config, source) for _ in range(self.last_layer))
        self.codebook = nn.Embedding(int(require(config, "quantize_vocab_size", source)), dim)
        self.embed_positions2 = nn.Embedding(-(-positions // self.pool), dim)  # added after quantisation
        _check_options(self, source)

    def forward(self, mel: Tensor, frames: Tensor) -> Tensor:
        """Encode mel (batch, mels, 2·F) with `frames` (batch,) valid encoder frames: (batch, tokens, dim)."""
        positions = self.embed_positions.num_embeddings
        if mel.shape[-1] > CONV_STRIDE * positions:
            msg = f"a chunk has {mel.shape[-1] // CONV_STRIDE} frames, more than max_source_positions {positions}"
            raise ValueError(msg)
        x = F.gelu(self.conv1(F.pad(mel, (self.left_padding, 0))))
        x = F.gelu(self.conv2(F.pad(x, (self.left_padding, 0)))).transpose(1, 2)
        x = x + self.embed_positions.weight[: x.shape[1]]
        mask = self.attention_mask(x.shape[1], frames, self.block)
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x, mask)
            if number == self.pool_after:
                x = self.pooled(x)
                block = None if self.block is None else self.block // self.pool
                mask = self.attention_mask(x.shape[1], -(-frames // self.pool), block)
        return x

    def pooled(self, x: Tensor) -> Tensor:
        """(batch, frames, dim) -> (batch, ceil(frames / pool), dim), zeros completing the last group."""
        x = F.pad(x.transpose(1, 2), (0, -x.shape[1] % self.pool))
        return POOLINGS[self.pool_type](x, self.pool).transpose(1, 2)

    def attention_mask(self, length: int, valid: Tensor, block: int | None) -> Tensor:
        """(batch, 1, length, length) bool: key j for query i if j <= i or both are in one block, and j is valid."""
        place = torch.arange(length, device=valid.device)
        query, key = place[:, None], place[None, :]
        if self.causal:  # padding is at the right: no query of the clip sees it
            return (key <= query).expand(len(valid), 1, length, length)
        seen = (key <= query) | (key // block == query // block) if block else torch.ones_like(key <= query)
        return (seen & (key < valid[:, None, None]))[:, None]


def _check_options(encoder: Encoder, source: Path) -> None:
    if encoder.pool > 1 and encoder.pool_type not in POOLINGS:
        msg = f"{source}: pooling_type is {encoder.pool_type!r}, expected one of {', '.join(POOLINGS)}"
        raise DataError(msg)
    if encoder.pool > 1 and not 1 <= encoder.pool_after <= encoder.last_layer:
        msg = f"{source}: pooling_position is {encoder.pool_after}, quantize_position is {encoder.last_layer}"
        raise DataError(msg)


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most 30 s of a clip: its log-mel (mels, frames), and its own samples."""

    mel: Tensor
    samples: int


class GlmTokenizer:
    """ContentTokenizer on an official folder: config.json, preprocessor_config.json, model.safetensors.

    Weights: GLM-4 model licence (https://huggingface.co/zai-org/glm-4-voice-tokenizer). Raises DataError where a
    file, field or key is missing, extra or misshapen.
    """

    name = "glm-4-voice"

    def __init__(self, folder: Path, device: str = "cpu", batch_seconds: float | None = None) -> None:
        from curation.models.torch_compat import import_torchaudio

        import_torchaudio()
        from transformers import WhisperFeatureExtractor

        folder = Path(folder)
        configs = [folder / "config.json", folder / "preprocessor_config.json"]
        config, preprocessor = (read_config(path) for path in configs)
        self.extractor = WhisperFeatureExtractor(**preprocessor)
        weights = find_weights(folder)
        with torch.device("meta"):
            self.encoder = Encoder(config, configs[0])
        if device != META:
            whole, layers = not config.get("quantize_encoder_only"), self.encoder.last_layer
            load_strict(self.encoder, _encoder_tensors(read_tensors(weights), whole=whole, layers=layers), weights)
            self.encoder.to(device)
        self.device = torch.device(device)
        self.codebook_size = self.encoder.codebook.num_embeddings
        self.batch_samples = batch_samples(device, batch_seconds)
        self.frame_samples = int(self.extractor.hop_length) * CONV_STRIDE
        self.token_samples: int = self.frame_samples * self.encoder.pool
        self.chunk_samples = int(self.extractor.n_samples)
        _check_extractor(self, configs[1])
        self._encoding = Together(self._encode, lambda chunk: chunk.samples, self.batch_samples)
        self.fingerprint = fingerprint(self.name, [*configs, weights])

    def num_tokens(self, num_samples: int) -> int:
        """ceil(samples / 1280) for each chunk of 30 s, with the official figures."""
        whole, rest = divmod(num_samples, self.chunk_samples)
        return whole * -(-self.chunk_samples // self.token_samples) + -(-rest // self.token_samples)

    def encode(self, waves: Sequence[Wave]) -> list[Ids]:
        """Ids (num_tokens,) int32 of each clip. Raises DataError for a clip that is empty or not finite."""
        clips = [check_wave(wave, 1, self.name) for wave in waves]
        starts = [range(0, len(wave), self.chunk_samples) for wave in clips]
        rows = [[clip[i : i + self.chunk_samples] for i in row] for clip, row in zip(clips, starts, strict=True)]
        ids = iter(self._encoding([self.chunk(wave) for row in rows for wave in row]))
        found = [np.concatenate([next(ids) for _ in row]) for row in rows]
        return [self._checked(row, len(wave)) for row, wave in zip(found, clips, strict=True)]

    def code_vectors(self) -> Vectors:
        """The codebook, (codes, size)."""
        return np.asarray(self.encoder.codebook.weight.detach().float().cpu().numpy())

    def chunk(self, wave: Wave) -> Chunk:
        """What the encoder reads of a wave of at most 30 s."""
        return Chunk(self.log_mel(wave), len(wave))

    def log_mel(self, chunk: Wave) -> Tensor:
        """Give (mels, frames) float32 of one chunk, padded with silence to whole tokens; always computed alone,
        because its floor depends on its own maximum.
        """
        features = self.extractor(
            chunk,
            sampling_rate=SAMPLE_RATE,
            padding="longest",
            pad_to_multiple_of=self.token_samples,
            return_tensors="pt",
        )
        mel: Tensor = features.input_features[0]
        return mel

    def prequant(self, chunks: Sequence[Chunk]) -> Tensor:
        """Give (chunks, most tokens, dim), the vectors that are compared with the codebook; rows past a chunk's own
        tokens mean nothing.
        """
        mel, _ = pad_stack([chunk.mel for chunk in chunks])
        frames = torch.tensor([-(-chunk.samples // self.frame_samples) for chunk in chunks])
        encoded: Tensor = self.encoder(mel.to(self.device), frames.to(self.device))
        return encoded

    def _encode(self, chunks: list[Chunk]) -> list[Ids]:
        return run_buckets(chunks, [chunk.samples for chunk in chunks], self.batch_samples, self._encode_chunks)

    def _encode_chunks(self, chunks: list[Chunk]) -> list[tuple[Ids, bool]]:
        with exact_float32():
            ids, certain = (x.cpu().numpy() for x in nearest(self.prequant(chunks), self.encoder.codebook.weight))
        counts = [-(-chunk.samples // self.token_samples) for chunk in chunks]
        return [(ids[i, :n].astype(np.int32), bool(certain[i, :n].all())) for i, n in enumerate(counts)]

    def _checked(self, ids: Ids, num_samples: int) -> Ids:
        if len(ids) != self.num_tokens(num_samples):
            msg = f"{self.name}: {len(ids)} ids for {num_samples} samples, expected {self.num_tokens(num_samples)}"
            raise ValueError(msg)
        return ids


def _encoder_tensors(tensors: dict[str, Tensor], *, whole: bool, layers: int) -> dict[str, Tensor]:
    """Leave out the statistics of codebook training and, of a `whole` encoder, the layers after the quantiser. A file
    of the whole Whisper model (`model.encoder.` before each key) also loses its decoder.
    """
    if any(key.startswith(OLD_PREFIX) for key in tensors):
        others = ("model.decoder.", "proj_out.")
        tensors = {key.removeprefix(OLD_PREFIX): value for key, value in tensors.items() if not key.startswith(others)}
        whole = True
    unused = ["ema_count", "ema_weight"]
    if whole:
        unused += [key for key in tensors if key.startswith("layer_norm.") or _layer_of(key) >= layers]
    return {key: value for key, value in tensors.items() if key not in unused}


def _layer_of(key: str) -> int:
    return int(key.split(".")[1]) if key.startswith("layers.") else -1


def _check_extractor(tokenizer: GlmTokenizer, source: Path) -> None:
    extractor, encoder = tokenizer.extractor, tokenizer.encoder
    if extractor.sampling_rate != SAMPLE_RATE:
        msg = f"{source}: sampling_rate is {extractor.sampling_rate}, expected {SAMPLE_RATE}"
        raise DataError(msg)
    if extractor.feature_size != encoder.conv1.in_channels:
        msg = f"{source}: feature_size {extractor.feature_size} is not num_mel_bins {encoder.conv1.in_channels}"
        raise DataError(msg)
