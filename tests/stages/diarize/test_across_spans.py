"""Speakers of real recordings that are cut into spans, against a run in one piece (`manifests/speakers.py`)."""

from itertools import pairwise

import numpy as np
import pytest

from curation.manifests.records import Recording
from curation.manifests.speakers import join_speakers, speaker_centroids
from curation.stages.diarize.stage import Diarize
from tests.support.real_speech import BECKETT, SAMPLE, TWO_CITIES, librivox, recording, wave


def speech_of(rows: list[Recording], names: list[dict[str, str]]) -> np.ndarray:
    """Speaker number at each 10 ms of the live utterances of all spans; -1 elsewhere."""
    track = np.full(rows[-1].end // 160 + 1, -1)
    for row, name in zip(rows, names, strict=True):
        for s in row.live_segments:
            track[s.start // 160 : s.end // 160] = int(name[s.speaker][1:])
    return track


def diarized(stage: Diarize, whole: np.ndarray, cuts: list[int]) -> tuple[list[Recording], list[dict[str, str]]]:
    rows = [recording(whole[one:two], offset=one, span=number) for number, (one, two) in enumerate(pairwise(cuts))]
    stage.process(rows)
    spans = [
        speaker_centroids((s.speaker, s.num_samples / 16_000, s.speaker_embedding) for s in row.live_segments)
        for row in rows
    ]
    return rows, join_speakers(spans)


@pytest.mark.slow
def test_real_speakers_keep_their_labels_across_spans(diarizer):
    """A reader, another reader and a dialogue of two, coming back in other spans."""
    cities, books, talk = wave(TWO_CITIES), librivox(), wave(SAMPLE)[8 * 16_000 :]
    first = np.concatenate([cities[:200_000], books[0]])
    second = np.concatenate([talk, cities[200_000:340_000]])
    third = np.concatenate([books[2], talk])
    whole = np.concatenate([first, second, third])
    cuts = np.cumsum([0, len(first), len(second), len(third)]).tolist()
    rows, names = diarized(diarizer, whole, cuts)
    assert len({name for span in names for name in span.values()}) == 4
    joint_rows, joint_names = diarized(diarizer, whole, [0, len(whole)])
    apart, joint = speech_of(rows, names), speech_of(joint_rows, joint_names)
    both = (apart >= 0) & (joint >= 0)
    assert both.sum() > 35 * 100
    assert (apart[both] == joint[both]).mean() > 0.9


def test_one_speaker_stays_one_across_spans(diarizer):
    whole = np.tile(wave(BECKETT)[:80_000], 2)
    _, names = diarized(diarizer, whole, [0, 80_000, len(whole)])
    assert {name for span in names for name in span.values()} == {"S0"}
