"""Frame by frame, who of up to three speakers speaks, by a segmentation model of pyannote; windows are put together.

The model hears windows of some seconds and numbers the speakers of each by itself. A window's speakers are therefore
ordered as those of the windows before it, where both heard the same, and the probabilities of all windows are averaged,
those from the middle of a window most. So a number means the same voice for as long as it is heard now and then; after
a longer silence it may be another's, which the clustering of turns settles.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from curation.audio.wave import Wave
from curation.stages.diarize.pauses import FRAME

BATCH = 8
EDGE_WEIGHT = 0.02
"""Of the first and the last frame of a window: they have no context on one side."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Activity:
    """Probabilities in frames of 10 ms."""

    speakers: Floats
    """(frames, 3): that the speaker of this number speaks."""
    overlap: Floats
    """(frames,): that two or more speak."""


class Segmentation:
    """A segmentation model, of independent speakers or of their sets (powerset), slid over a wave."""

    def __init__(self, model: Any, step_seconds: float) -> None:
        self.model = model
        facts = model.specifications
        self.length = round(facts.duration * 100)
        self.step = min(self.length, max(1, round(step_seconds * 100)))
        sizes = range(facts.powerset_max_classes + 1) if facts.powerset else ()
        numbers = range(len(facts.classes))
        self.sets = [chosen for size in sizes for chosen in itertools.combinations(numbers, size)]

    def hear(self, wave: Wave) -> Activity:
        """The activity in (samples,) at 16 kHz."""
        frames = -(-len(wave) // FRAME)
        count = 1 + max(0, -(-(frames - self.length) // self.step))
        padded = np.pad(wave, (0, ((count - 1) * self.step + self.length) * FRAME - len(wave)))
        total = np.zeros((len(padded) // FRAME, len(self.model.specifications.classes) + 1), np.float32)
        weights = np.zeros((len(total), 1), np.float32)
        ramp = np.minimum(np.arange(self.length), np.arange(self.length)[::-1]) / (self.length / 2)
        weight = np.maximum(ramp, EDGE_WEIGHT).astype(np.float32)[:, None]
        for number, window in enumerate(self._windows(padded, count)):
            place = slice(number * self.step, number * self.step + self.length)
            total[place] += weight * ordered(window, total[place])
            weights[place] += weight
        mean = (total / weights)[:frames]
        return Activity(mean[:, :-1], mean[:, -1])

    def _windows(self, wave: Wave, count: int) -> "itertools.chain[Floats]":
        """Probabilities of each window, (frames, speakers + 1), of which the last is that of overlap."""
        import torch

        size, step = self.length * FRAME, self.step * FRAME

        def run(first: int) -> Floats:
            batch = [wave[i * step : i * step + size] for i in range(first, min(first + BATCH, count))]
            with torch.inference_mode():
                found = self.model(torch.from_numpy(np.stack(batch)[:, None]).to(self.model.device)).cpu().numpy()
            places = ((np.arange(self.length) + 0.5) * found.shape[1] / self.length).astype(int)
            return self.probabilities(found[:, places])

        return itertools.chain.from_iterable(map(run, range(0, count, BATCH)))

    def probabilities(self, output: Floats) -> Floats:
        """(…, speakers + 1) from the model's output: probabilities of speakers, or logarithms of those of sets."""
        if not self.sets:
            second = np.sort(output, axis=-1)[..., -2:-1]
            return np.concatenate([output, second], axis=-1)
        member = np.array([[n in s for n in range(len(self.model.specifications.classes))] for s in self.sets])
        several = np.array([[len(s) > 1] for s in self.sets])
        return np.asarray(np.exp(output) @ np.hstack([member, several]), dtype=np.float32)


def ordered(window: Floats, before: Floats) -> Floats:
    """A window (frames, speakers + 1) with its speakers in the order that agrees best with what was heard before."""
    agreement = before[:, :-1].T @ window[:, :-1]
    numbers = range(len(agreement))
    best = max(itertools.permutations(numbers), key=lambda order: agreement[numbers, order].sum())
    return window[:, [*best, -1]]
