"""Fitting the compact tokenizers on any speech: `fit(waves, folder)` writes both files.

Seeded, on one thread and in float32: the same waves in the same order give the same files on the same machine.
"""

import copy
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.manifests.records import Wave
from curation.tokenize import compact_codec, compact_content
from curation.tokenize.compact_codec import ClipFeatures
from curation.tokenize.features import Floats, whisper_states
from curation.tokenize.phones import Projection
from curation.tokenize.speaker import SpeakerSpace, Voice, describe
from curation.tokenize.variation import varied
from curation.tokenize.weights import load_weights, save_weights

if TYPE_CHECKING:
    import torch

    from curation.tokenize.codec_model import CodecNet

log = logging.getLogger(__name__)

AVERAGE = 0.01
"""Share of the newest weights in the running average, which is what is kept."""


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How long and how large. The defaults made the shipped files."""

    content_codes: int = 2048
    copies: int = 2
    """Versions of each clip at other speeds and levels."""
    channels: int = 1
    """Further ones through random channels, half of them as narrow as a telephone's."""
    steps: int = 3000
    batch: int = 16
    crop: int = 100
    """Tokens in a training example (2 s)."""
    learning_rate: float = 2e-3
    seed: int = 0


Progress = Callable[[str, float], None]


def fit(
    waves: Iterable[Wave],
    folder: Path,
    settings: FitSettings = FitSettings(),
    progress: Progress = lambda what, fraction: None,  # noqa: ARG005
    projection: Projection | None = None,
) -> dict[str, str]:
    """Fit both tokenizers on mono 16 kHz float32 waves and write them to `folder`; file name -> hex SHA-256.

    `projection` of the content tokenizer comes from transcripts (`phones.fit_projection`); None: the shipped one.
    Raises ValueError where there are fewer content tokens than codes (about three minutes of speech are needed).
    """
    whisper = whisper_states()
    versions = varied(waves, settings.copies, settings.channels, settings.seed)
    clips = [ClipFeatures.of(wave, whisper) for wave in versions]
    progress("features", 1.0)
    codebook = content_tensors(clips, settings, projection or shipped_projection())
    codec = codec_tensors(clips, settings, progress)
    return {
        file: save_weights(folder, file, tensors)
        for file, tensors in ((compact_content.FILE, codebook), (compact_codec.FILE, codec))
    }


def shipped_projection() -> Projection:
    """Projection of the shipped content tokenizer."""
    tensors = load_weights(None, compact_content.FILE)
    return Projection(tensors["mean"].astype(np.float32), tensors["projection"].astype(np.float32))


def content_tensors(clips: list[ClipFeatures], settings: FitSettings, projection: Projection) -> dict[str, Floats]:
    """Everything that `compact_content.safetensors` holds: centroids of projected states by Lloyd's algorithm."""
    per = compact_content.STATES_PER_TOKEN
    means = [c.states[: len(c.states) // per * per].reshape(-1, per, c.states.shape[1]).mean(axis=1) for c in clips]
    points = projection(np.concatenate(means).astype(np.float32))
    if len(points) < settings.content_codes:
        msg = f"fit: {len(points)} content tokens for {settings.content_codes} codes: give more speech"
        raise ValueError(msg)
    codebook = kmeans(points, settings.content_codes, settings.seed)
    return {"mean": projection.mean, "projection": projection.matrix, "codebook": codebook}


def kmeans(points: Floats, codes: int, seed: int, rounds: int = 25) -> Floats:
    """Centroids (codes, D) of `points` (N, D); an empty one restarts at the point that is farthest from its own."""
    random = np.random.default_rng(seed)
    centroids = points[random.choice(len(points), codes, replace=False)]
    for _ in range(rounds):
        ids = np.concatenate([compact_content.nearest(part, centroids) for part in np.array_split(points, 32)])
        counts = np.bincount(ids, minlength=codes)
        order = np.argsort(ids, kind="stable")
        filled = np.flatnonzero(counts)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])[filled]
        centroids = centroids.copy()
        centroids[filled] = np.add.reduceat(points[order], starts) / counts[filled, None]
        empty = np.flatnonzero(counts == 0)
        far = np.argsort(-((points - centroids[ids]) ** 2).sum(axis=1), kind="stable")[: len(empty)]
        centroids[empty] = points[far]
    return centroids


@dataclass(frozen=True, slots=True)
class Example:
    """A clip as the network sees it: standardised states, normalised rows, standard globals."""

    states: Floats
    rows: Floats
    speaker: Floats


def codec_tensors(clips: list[ClipFeatures], settings: FitSettings, progress: Progress) -> dict[str, Floats]:
    """Everything that `compact_codec.safetensors` holds."""
    values = np.stack([describe(clip.mel, clip.log_f0, clip.voiced) for clip in clips])
    space = SpeakerSpace(values.mean(axis=0), values.std(axis=0).clip(1e-2))
    states = np.concatenate([clip.states[::8] for clip in clips]).astype(np.float32)
    mean, spread = states.mean(axis=0), states.std(axis=0).clip(1e-3)
    examples = []
    for clip, value in zip(clips, values, strict=True):
        ids = space.ids(value)
        rows = Voice.of(space.values(ids)).normalise(clip.mel, clip.log_f0, clip.voiced)
        standard = ((clip.states - mean) / spread).astype(np.float16)
        examples.append(Example(standard, rows.astype(np.float16), space.standard(ids)))
    network = train(examples, settings, progress)
    fixed = {
        "speaker.centre": space.centre,
        "speaker.scale": space.scale,
        "states.mean": mean,
        "states.spread": spread,
    }
    learned = {
        compact_codec.NETWORK + name: tensor.numpy().astype(np.float16)
        for name, tensor in network.state_dict().items()
        if not name.startswith("states_out.")
    }
    return {name: array.astype(np.float32) for name, array in fixed.items()} | learned


def train(examples: list[Example], settings: FitSettings, progress: Progress) -> "CodecNet":
    """AdamW on random crops; what is kept is a running average of the weights."""
    import torch

    from curation.tokenize.codec_model import CodecNet

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(settings.seed)
    network = CodecNet()
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_steady_decay(step, settings.steps))
    average = copy.deepcopy(network)
    random = np.random.default_rng(settings.seed)
    for step in range(settings.steps):
        loss = training_loss(network, *_batch(examples, settings, random))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for mean, value in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(value, AVERAGE)
        if step % 50 == 0:
            log.info("step %d loss %.4f", step, loss.item())
        progress("codec", (step + 1) / settings.steps)
    torch.set_num_threads(threads)
    return average.eval()


def _warm_steady_decay(step: int, steps: int) -> float:
    """Factor of the learning rate: up over 100 steps, steady, down to zero over the last 40 %."""
    return min((step + 1) / 100, 1.0, (steps - step) / (0.4 * steps))


def _batch(
    examples: list[Example], settings: FitSettings, random: np.random.Generator
) -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor", "torch.Tensor"]:
    """States, rows, globals and the mask of tokens that exist, (B, crop, …) each."""
    import torch

    chosen = [examples[i] for i in random.integers(len(examples), size=settings.batch)]
    states = np.zeros((settings.batch, settings.crop, chosen[0].states.shape[1]), np.float32)
    rows = np.zeros((settings.batch, settings.crop, chosen[0].rows.shape[1]), np.float32)
    mask = np.zeros((settings.batch, settings.crop), np.float32)
    for i, example in enumerate(chosen):
        start = int(random.integers(max(1, len(example.rows) - settings.crop + 1)))
        size = min(settings.crop, len(example.rows) - start)
        states[i, :size] = example.states[start : start + size]
        rows[i, :size] = example.rows[start : start + size]
        mask[i, :size] = 1
    speaker = np.stack([example.speaker for example in chosen])
    return torch.from_numpy(states), torch.from_numpy(rows), torch.from_numpy(speaker), torch.from_numpy(mask)


def training_loss(
    network: "CodecNet", states: "torch.Tensor", rows: "torch.Tensor", speaker: "torch.Tensor", mask: "torch.Tensor"
) -> "torch.Tensor":
    """L1 of log-mel, L1 of pitch where voiced, cross entropy of voicing, squared error of the Whisper states."""
    from torch.nn import functional

    out, heard = network.decode(network.quantizer(network.encode(states, rows)), speaker)
    weight = mask / mask.sum()
    voiced = rows[..., -2:]
    mel = (out[..., :-4] - rows[..., :-4]).abs().mean(-1)
    pitch = ((out[..., -4:-2] - rows[..., -4:-2]).abs() * voiced).mean(-1)
    voicing = functional.binary_cross_entropy_with_logits(out[..., -2:], voiced, reduction="none").mean(-1)
    words = (heard - states).square().mean(-1)
    return ((mel + 0.3 * pitch + 0.15 * voicing + 0.3 * words) * weight).sum()
