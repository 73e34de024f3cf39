"""Fitting the network of the compact codec.

Two objectives: reconstruction from the codes, and codes that are stable when the same sound comes half a token later, a
little softer or with faint noise. Without the second nine codes of ten change, and a speech model must memorise that
noise. The idea is from Gat et al. 2023 ("Augmentation Invariant Discrete Representation for Generative Spoken Language
Modeling"); here it is a distance before rounding.
"""

import copy
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from curation.models.threads import cpu_threads
from curation.tokenize.compact import codec as compact_codec
from curation.tokenize.compact.codec import ClipFeatures
from curation.tokenize.compact.features import Floats
from curation.tokenize.compact.speaker import SpeakerSpace, Voice, describe
from curation.tokenize.fit.settings import LEVELS, FitSettings, Progress

if TYPE_CHECKING:
    from torch import Tensor

    from curation.tokenize.compact.network import CodecNet

log = logging.getLogger(__name__)

AVERAGE = 0.01
"""Share of the newest weights in the running average, which is saved."""


@dataclass(frozen=True, slots=True)
class ClipPair:
    """A clip and a perturbed copy of it (augment.py)."""

    clip: ClipFeatures
    perturbed: ClipFeatures


@dataclass(frozen=True, slots=True)
class Example:
    """Input of the network, (2, tokens, size) the clip and its perturbed copy: standardised states, normalised rows.

    `speaker` are the clip's standard globals, (32,).
    """

    states: npt.NDArray[np.float16]
    rows: npt.NDArray[np.float16]
    speaker: Floats


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of examples: states and rows (2, B, crop, size), globals (B, 32), mask (B, crop) of tokens that exist."""

    states: "Tensor"
    rows: "Tensor"
    speaker: "Tensor"
    mask: "Tensor"


def codec_tensors(pairs: list[ClipPair], settings: FitSettings, progress: Progress) -> dict[str, np.ndarray]:
    """The content of `compact_codec.safetensors`."""
    values = np.stack([describe(pair.clip.mel, pair.clip.log_f0, pair.clip.voiced) for pair in pairs])
    space = SpeakerSpace(values.mean(axis=0), values.std(axis=0).clip(1e-2))
    states = np.concatenate([pair.clip.states[::8] for pair in pairs]).astype(np.float32)
    mean, spread = states.mean(axis=0), states.std(axis=0).clip(1e-3)
    examples = []
    for pair, value in zip(pairs, values, strict=True):
        ids = space.ids(value)
        voice = Voice.of(space.values(ids))
        size = min(len(pair.clip.states), len(pair.perturbed.states))
        both = (pair.clip, pair.perturbed)
        standard = np.stack([(clip.states[:size] - mean) / spread for clip in both]).astype(np.float16)
        rows = np.stack([voice.normalise(clip.mel, clip.log_f0, clip.voiced)[:size] for clip in both])
        examples.append(Example(standard, rows.astype(np.float16), space.standard(ids)))
    with cpu_threads(1):
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
    levels = {compact_codec.LEVELS_TENSOR: np.array(LEVELS[settings.codes], np.int32)}
    return {name: array.astype(np.float32) for name, array in fixed.items()} | learned | levels


def train(examples: list[Example], settings: FitSettings, progress: Progress) -> "CodecNet":
    """AdamW on random crops; returns a running average of the weights."""
    import torch

    from curation.tokenize.compact.network import CodecNet

    torch.manual_seed(settings.seed)
    network = CodecNet(LEVELS[settings.codes])
    optimizer = torch.optim.AdamW(network.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _warm_steady_decay(step, settings.steps))
    average = copy.deepcopy(network)
    random = np.random.default_rng(settings.seed)
    for step in range(settings.steps):
        loss = training_loss(network, _batch(examples, settings, random), settings.consistency)
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
    return average.eval()


def _warm_steady_decay(step: int, steps: int) -> float:
    """Factor of the learning rate: up over 100 steps, steady, down to zero over the last 40 %."""
    return min((step + 1) / 100, 1.0, (steps - step) / (0.4 * steps))


def _batch(examples: list[Example], settings: FitSettings, random: np.random.Generator) -> Batch:
    """Random crops of random examples."""
    import torch

    chosen = [examples[i] for i in random.integers(len(examples), size=settings.batch)]
    states, rows = (
        np.zeros((2, settings.batch, settings.crop, array.shape[2]), np.float32)
        for array in (chosen[0].states, chosen[0].rows)
    )
    mask = np.zeros((settings.batch, settings.crop), np.float32)
    for i, example in enumerate(chosen):
        length = example.rows.shape[1]
        start = int(random.integers(max(1, length - settings.crop + 1)))
        size = min(settings.crop, length - start)
        states[:, i, :size] = example.states[:, start : start + size]
        rows[:, i, :size] = example.rows[:, start : start + size]
        mask[i, :size] = 1
    speaker = np.stack([example.speaker for example in chosen])
    return Batch(*(torch.from_numpy(array) for array in (states, rows, speaker, mask)))


def training_loss(network: "CodecNet", batch: Batch, consistency: float) -> "Tensor":
    """L1 of log-mel, L1 of pitch where voiced, cross entropy of voicing, squared error of the Whisper states.

    And `consistency` times the squared distance of a clip's codes from its perturbed copy's, in levels.
    """
    from torch.nn import functional

    states, rows = batch.states[0], batch.rows[0]
    code = network.encode(states, rows)
    out, heard = network.decode(network.quantizer(code), batch.speaker)
    weight = batch.mask / batch.mask.sum()
    voiced = rows[..., -2:]
    mel = (out[..., :-4] - rows[..., :-4]).abs().mean(-1)
    pitch = ((out[..., -4:-2] - rows[..., -4:-2]).abs() * voiced).mean(-1)
    voicing = functional.binary_cross_entropy_with_logits(out[..., -2:], voiced, reduction="none").mean(-1)
    words = (heard - states).square().mean(-1)
    loss = mel + 0.3 * pitch + 0.15 * voicing + 0.3 * words
    if consistency:
        moved = network.encode(batch.states[1], batch.rows[1])
        distance = (code.tanh() - moved.tanh()) * (network.quantizer.levels - 1) / 2
        loss = loss + consistency * distance.square().sum(-1)
    return (loss * weight).sum()
