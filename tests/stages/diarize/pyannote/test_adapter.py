"""The pipeline around pyannote's models: times, settings, and turns that may overlap."""

import numpy as np
import pytest

from curation.stages.diarize.config import PyannoteConfig
from curation.stages.diarize.pyannote.adapter import parameters, to_samples


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


def test_settings_reach_the_hyper_parameters_of_the_pipeline(diarizer):
    config = PyannoteConfig(
        min_duration_off=0.2,
        segmentation_threshold=0.4,
        clustering_method="centroid",
        min_cluster_size=5,
        clustering_threshold=0.6,
    )
    assert parameters(config, powerset=False) == {
        "segmentation": {"min_duration_off": 0.2, "threshold": 0.4},
        "clustering": {"method": "centroid", "min_cluster_size": 5, "threshold": 0.6},
    }
    assert "threshold" not in parameters(config, powerset=True)["segmentation"]
    assert diarizer.diarizer.pipeline.clustering.threshold == 0.27  # of the default
    assert diarizer.diarizer.pipeline.segmentation_step == pytest.approx(0.5 / 5.0)  # windows of 5 s
