"""Speakers of a recording from its frames: turns of the segmentation, and their voices put together.

The segmentation says who speaks for as long as it hears somebody; so each turn has one voice, and the same voice has
many turns. Each turn is embedded as a whole where nobody else speaks, because an encoder needs seconds, not windows;
turns with at least a second are then clustered by average linkage, where turns that overlap are never joined. A shorter
one goes to the nearest voice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.audio.wave import Wave
from curation.manifests.speakers import cluster, unit
from curation.stages.diarize.base import Heard
from curation.stages.diarize.campplus.encoder import Embeddings, SpeakerEncoder
from curation.stages.diarize.config import PyannoteConfig
from curation.stages.diarize.pauses import FRAME, stretches
from curation.stages.diarize.pyannote.segmentation import Segmentation
from curation.stages.diarize.turns import Turn

MIN_ALONE = 20
"""Frames: shorter stretches without another voice are not embedded."""
MIN_CLUSTERED = 100
"""Frames: the embedding of less is too uncertain to make a speaker of its own."""


@dataclass(frozen=True, slots=True)
class Local:
    """A turn of a number of the segmentation, in frames of 10 ms."""

    start: int
    end: int
    number: int


class WholeTurns:
    """Segmentation, and clustering of whole turns."""

    def __init__(self, segmentation: Segmentation, encoder: SpeakerEncoder, config: PyannoteConfig) -> None:
        self.segmentation = segmentation
        self.encoder, self.config = encoder, config

    def hear(self, wave: Wave) -> Heard:
        """Turns in (samples,) at 16 kHz, with labels of their speakers, and the probability of overlapped speech."""
        activity = self.segmentation.hear(wave)
        active = activity.speakers > self.config.segmentation_threshold
        turns = local_turns(active, round(100 * self.config.min_duration_off))
        alone = active.sum(axis=1) < 2
        heard = [where_alone(turn, alone) for turn in turns]
        waves = [np.concatenate([wave[a * FRAME : b * FRAME] for a, b in parts] or [wave[:0]]) for parts in heard]
        lengths = np.array([len(part) // FRAME for part in waves])
        labels = speakers(turns, self.encoder.embed(waves), lengths, self.config.clustering_threshold)
        named = zip(turns, labels, strict=True)
        found = [Turn(turn.start * FRAME, min(turn.end * FRAME, len(wave)), str(label)) for turn, label in named]
        return Heard(found, activity.overlap, activity.speakers.max(axis=1, initial=0.0))


def local_turns(active: npt.NDArray[np.bool_], max_gap: int) -> list[Local]:
    """Turns of each number in (frames, numbers), in order of time; gaps of up to `max_gap` frames are filled."""
    found = []
    for number, spoken in enumerate(active.T.copy()):
        for start, end in stretches(~spoken):
            if start > 0 and end < len(spoken) and end - start <= max_gap:
                spoken[start:end] = True
        found += [Local(start, end, number) for start, end in stretches(spoken)]
    return sorted(found, key=lambda turn: (turn.start, turn.end, turn.number))


def where_alone(turn: Local, alone: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of the turn, in frames, in which nobody else speaks."""
    parts = stretches(alone[turn.start : turn.end])
    return [(turn.start + start, turn.start + end) for start, end in parts if end - start >= MIN_ALONE]


def speakers(
    turns: Sequence[Local], embeddings: Embeddings, lengths: npt.NDArray[np.int64], threshold: float
) -> list[int]:
    """The speaker of each turn. `embeddings` (turns, 192), of `lengths` frames, are NaN where there was too little."""
    clear = [i for i in range(len(turns)) if lengths[i] >= MIN_CLUSTERED]
    table = 1.0 - (embeddings[clear] @ embeddings[clear].T).astype(np.float64)
    for row, i in enumerate(clear):
        table[row, [column for column, j in enumerate(clear) if i == j or together(turns[i], turns[j])]] = np.inf
    groups = dict(zip(clear, cluster(table, threshold), strict=True))
    members = {group: [i for i in groups if groups[i] == group] for group in groups.values()}
    centres = {
        group: unit(lengths[who].astype(np.float64) @ embeddings[who].astype(np.float64))
        for group, who in members.items()
    }
    return [groups[i] if i in groups else nearest(i, turns, embeddings, groups, centres) for i in range(len(turns))]


def nearest(
    i: int, turns: Sequence[Local], embeddings: Embeddings, groups: Mapping[int, int], centres: Mapping[int, Embeddings]
) -> int:
    """The speaker of a short turn: of those who do not speak at the same time, the nearest voice. Where there is none,
    or too little to embed, somebody else, below 0.
    """
    others = {group for j, group in groups.items() if together(turns[i], turns[j])}
    free = [group for group in centres if group not in others]
    if not free or np.isnan(embeddings[i]).any():
        return -1 - turns[i].number
    return max(free, key=lambda group: float(embeddings[i] @ centres[group]))


def together(one: Local, two: Local) -> bool:
    """Whether two numbers are heard at once, which makes them two speakers."""
    return one.number != two.number and one.start < two.end and two.start < one.end
