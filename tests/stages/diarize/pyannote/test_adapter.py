"""pyannote's models as a diarizer: times, settings, and turns that may overlap."""

import numpy as np
import pytest

from curation.stages.diarize.config import PyannoteConfig
from curation.stages.diarize.pyannote.adapter import PyannoteDiarizer, to_samples


@pytest.mark.parametrize(
    ("seconds", "limit", "samples"),
    [(0.0, 9999, 0), (1.0, 99_999, 16_000), (0.016, 9999, 320), (0.014, 9999, 160), (-0.5, 9999, 0), (2.0, 777, 777)],
)
def test_times_are_whole_frames_within_the_wave(seconds, limit, samples):
    assert to_samples(seconds, limit) == samples


def test_turns_of_several_speakers_overlap_and_lie_within_the_wave(crosstalk):
    samples, turns = crosstalk
    assert len({turn.speaker for turn in turns}) >= 2
    assert all(0 <= turn.start <= turn.end <= len(samples) for turn in turns)
    common = [
        min(one.end, two.end) - max(one.start, two.start)
        for number, one in enumerate(turns)
        for two in turns[:number]
        if one.speaker != two.speaker
    ]
    assert max(common) > 0.2 * 16_000


def test_nothing_has_no_turns(diarizer):
    assert diarizer.diarizer.diarize(np.zeros(0, np.float32)) == []


def test_settings_reach_the_segmentation(diarizer):
    config = PyannoteConfig(segmentation_step_seconds=0.5, segmentation="pyannote-segmentation")
    other = PyannoteDiarizer(config)
    other.load()
    assert (other.whole_turns.segmentation.step, other.whole_turns.segmentation.length) == (50, 500)
    assert other.whole_turns.segmentation.sets == []  # independent speakers
    assert len(diarizer.diarizer.whole_turns.segmentation.sets) == 7
