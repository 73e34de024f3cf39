"""The utterances of a recording as the diarize stage cuts them, for a model that was trained on such, and is given
recordings.

By the segmentation model alone: who speaks is not asked, so that a change of speakers without a pause is no border.
"""

from collections.abc import Sequence

from curation.audio.wave import Wave
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.pauses import FRAME, Pauses, stretches
from curation.stages.diarize.pyannote.adapter import load_segmentation
from curation.stages.diarize.turns import Turn, cut_turns, whole_turn


class Utterances:
    """Finds speech between pauses, no longer than a build's utterances."""

    def __init__(self, config: DiarizeConfig = DiarizeConfig()) -> None:  # noqa: B008 - it is frozen
        """Load the model. Raises ModelError where it is missing."""
        self._segmentation, self._threshold = load_segmentation(config), config.segmentation_threshold
        self._rules, self._whole = config.rules, config.whole

    def find(self, wave: Wave) -> Sequence[tuple[int, int]]:
        """Start and end of each in (samples,) at 16 kHz, in samples, in order, with at most 0.1 s of the silence around
        it; none where nobody speaks. Where a build keeps recordings `whole`, one, unless it is too long for one.
        """
        if not len(wave):
            return []
        spoken = self._segmentation.hear(wave).speakers.max(axis=1) > self._threshold
        turns = [Turn(start * FRAME, min(end * FRAME, len(wave)), "voice") for start, end in stretches(spoken)]
        pauses = Pauses(wave)
        pieces = whole_turn(turns, pauses, self._rules) if self._whole else []
        if not pieces or pieces[0].end - pieces[0].start > self._rules.max_length:
            pieces = cut_turns(turns, pauses, self._rules)
        return [(piece.start, piece.end) for piece in pieces]
