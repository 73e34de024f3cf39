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
from curation.tokenize.official.batching import batch_samples, check_wave, length_buckets, run_buckets
from curation.tokenize.official.bicodec.features import Wav2Vec2Features, Wave64, normalize_volume, reference_clip
from curation.tokenize.official.bicodec.generator import reach
from curation.tokenize.official.bicodec.model import BiCodec, find_layout
from curation.tokenize.official.checkpoints import exact_float32, fingerprint

GENERATOR_LOAD = 4
"""Memory of the wave generator for a second of speech, in multiples of the encoders'."""


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
        self.token_samples: int = self.model.decoder.rate * math.prod(self.model.prenet.downsample.ratios)
        self.reach = reach([self.model.prenet, self.model.decoder], self.token_samples)
        files = [*sorted({layout.config, layout.settings}), weights, *self.features.files]
        self.fingerprint = fingerprint(self.name, files)

    def num_semantic(self, num_samples: int) -> int:
        """floor((samples - 400) / 320) + 1 with the official figures; 0 for shorter clips, which cannot be encoded."""
        frames: int = self.features.num_frames(num_samples)
        return frames // self.frames_per_token

    def encode(self, waves: Sequence[Wave]) -> list[CodecTokens]:
        """Tokens of each clip. Raises DataError for a clip without semantic tokens (under 400 samples)."""
        minimum = self.features.min_samples(self.frames_per_token)
        clips = [check_wave(wave, minimum, self.name) for wave in waves]
        tokens = run_buckets(clips, [len(clip) for clip in clips], self.batch_samples, self._encode_batch)
        return [self._checked(item, len(clip)) for item, clip in zip(tokens, clips, strict=True)]

    def voices(self, waves: Sequence[Wave]) -> list[Ids]:
        """Global ids of each clip, as `encode` gives them; without wav2vec2, for clips of any length."""
        clips = [check_wave(wave, 1, self.name) for wave in waves]
        lengths = [self.reference_samples] * len(clips)
        return run_buckets(clips, lengths, self.batch_samples, self._voices_batch)

    def code_vectors(self) -> tuple[Vectors, Vectors]:
        """The codebook on the unit sphere (codes, size), as it is searched; the scalars of the global codes."""
        semantic = F.normalize(self.model.quantizer.codebook.weight.detach(), dim=-1)
        global_ = self.model.speaker_encoder.quantizer.codes(torch.arange(self.global_size))
        return np.asarray(semantic.float().cpu().numpy()), np.asarray(global_.numpy())

    def decode(self, tokens: Sequence[CodecTokens]) -> list[Wave]:
        """Speech (320 · tokens,) float32 of each item; the same, to rounding, whatever is in the batch."""
        semantics = [self._semantic_ids(item.semantic) for item in tokens]
        waves: dict[int, Wave] = {index: np.zeros(0, np.float32) for index in range(len(tokens))}
        counts = [len(ids) for ids in semantics]
        budget = self.batch_samples // GENERATOR_LOAD // self.token_samples
        for bucket in length_buckets(counts, budget):
            if not counts[bucket[0]]:  # the longest of the bucket: all are empty
                continue
            with exact_float32():
                vectors = self.dvector([tokens[index].global_ for index in bucket])
                batch = self.synthesize([semantics[index] for index in bucket], vectors)
            for index, wave in zip(bucket, batch.cpu().numpy(), strict=True):
                waves[index] = wave[: counts[index] * self.token_samples].copy()
        return [waves[index] for index in range(len(tokens))]

    def decode_stream(self, chunks: Iterable[Ids], global_: Ids, look_ahead: int | None = None) -> Iterator[Wave]:
        """Speech of semantic ids that arrive in chunks; the pieces join to what `decode` gives.

        A token is decoded once `look_ahead` further tokens have arrived (None: as many as it depends on, which makes
        the result exact to rounding; fewer start earlier, with an error at each join). Memory does not grow.
        """
        before, after = self.reach
        look_ahead = after if look_ahead is None else look_ahead
        with exact_float32():
            vector = self.dvector([global_])
        held, spoken = self._semantic_ids(np.zeros(0, np.int32)), 0  # `spoken` of the held ids are already returned
        for chunk in chunks:
            held = np.concatenate([held, self._semantic_ids(chunk)])
            ready = len(held) - look_ahead
            if ready > spoken:
                yield self._spoken(held, spoken, ready, vector)
                drop = max(ready - before, 0)
                held, spoken = held[drop:], ready - drop
        if len(held) > spoken:
            yield self._spoken(held, spoken, len(held), vector)

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
        ids = np.stack([_within(ids, self.global_size, "global") for ids in globals_])
        if ids.shape[1] != self.num_global:
            msg = f"{self.name}: {ids.shape[1]} global ids, expected {self.num_global}"
            raise ValueError(msg)
        vectors: Tensor = self.model.speaker_encoder.dvector(torch.from_numpy(ids).to(self.device))
        return vectors

    def prenet(self, semantics: Sequence[Ids], vectors: Tensor) -> tuple[Tensor, Tensor | None]:
        """Decode semantic ids and d-vectors to frames (batch, channels, time), before the d-vector is added, and the
        valid frames of each row (None: all).
        """
        counts = torch.tensor([len(ids) for ids in semantics], device=self.device)
        ids = torch.zeros(len(semantics), int(counts.max()), dtype=torch.long)
        for row, item in zip(ids, semantics, strict=True):
            row[: len(item)] = torch.from_numpy(item)
        lengths = None if bool((counts == counts[0]).all()) else counts
        codes = self.model.quantizer.vectors(ids.to(self.device))
        frames: tuple[Tensor, Tensor | None] = self.model.prenet(codes, vectors, lengths)
        return frames

    def synthesize(self, semantics: Sequence[Ids], vectors: Tensor) -> Tensor:
        """Speech (batch, samples) of semantic ids and d-vectors; samples past a row's own length mean nothing."""
        frames, lengths = self.prenet(semantics, vectors)
        wave: Tensor = self.model.decoder(frames + vectors[..., None], lengths)
        return wave

    def _encode_batch(self, clips: list[Wave]) -> list[tuple[CodecTokens, bool]]:
        waves = [self.volume_normalized(clip) for clip in clips]
        model = self.model
        with exact_float32():
            features, frames = self.features(waves)
            lengths = None if bool((frames == frames[0]).all()) else frames
            semantic = model.quantizer.ids(model.quantizer.project(model.encoder(features, lengths)))
            global_ = model.speaker_encoder.ids(self.mel(waves))
        ids, certain, speakers, speakers_certain = (x.cpu().numpy() for x in (*semantic, *global_))
        counts = [self.num_semantic(len(clip)) for clip in clips]
        return [
            (
                CodecTokens(ids[i, :n].astype(np.int32), speakers[i].astype(np.int32)),
                bool(certain[i, :n].all() and speakers_certain[i].all()),
            )
            for i, n in enumerate(counts)
        ]

    def _voices_batch(self, clips: list[Wave]) -> list[tuple[Ids, bool]]:
        with exact_float32():
            ids, certain = self.model.speaker_encoder.ids(self.mel([self.volume_normalized(clip) for clip in clips]))
        found = zip(ids.cpu().numpy().astype(np.int32), certain.cpu().numpy(), strict=True)
        return [(row, bool(sure.all())) for row, sure in found]

    def _spoken(self, held: Ids, start: int, end: int, vector: Tensor) -> Wave:
        before, after = self.reach
        first = max(start - before, 0)
        window = held[first : end + after]
        with exact_float32():
            wave = self.synthesize([window], vector)[0].cpu().numpy()
        return wave[(start - first) * self.token_samples : (end - first) * self.token_samples].copy()

    def _semantic_ids(self, ids: Ids) -> Ids:
        return _within(ids, self.semantic_size, "semantic")

    def _checked(self, tokens: CodecTokens, num_samples: int) -> CodecTokens:
        expected = (self.num_semantic(num_samples), self.num_global)
        if (len(tokens.semantic), len(tokens.global_)) != expected:
            msg = f"{self.name}: {len(tokens.semantic)} semantic ids for {num_samples} samples, expected {expected[0]}"
            raise ValueError(msg)
        return tokens


def _within(ids: Ids, size: int, kind: str) -> Ids:
    ids = np.asarray(ids)
    if ids.ndim != 1 or (len(ids) and not 0 <= ids.min() <= ids.max() < size):
        msg = f"bicodec: {kind} ids must be of shape (tokens,) and within 0..{size - 1}"
        raise ValueError(msg)
    return ids.astype(np.int32)


def _check_rate(settings: dict[str, Any], source: Path) -> None:
    if require(settings, "sample_rate", source) != SAMPLE_RATE:
        msg = f"{source}: sample_rate is {settings['sample_rate']}, expected {SAMPLE_RATE}"
        raise DataError(msg)
