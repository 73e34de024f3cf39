"""Windows of a segmentation model put together: of a scripted one, which numbers speakers anew, and of the real one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from curation.stages.diarize.pyannote.segmentation import Segmentation
from tests.support.real_speech import BECKETT, wave

SETS = [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]


class Scripted:
    """Hears who speaks from the samples, which are sums of 1, 2 and 4; numbers the speakers of each window anew."""

    device = "cpu"

    def __init__(self, *, powerset: bool, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.specifications = SimpleNamespace(
            duration=2.0, classes=["a", "b", "c"], powerset=powerset, powerset_max_classes=2 if powerset else None
        )

    def __call__(self, waves):
        codes = waves[:, 0, 80::160].numpy().astype(int)
        heard = [self.window(row) for row in codes]
        return torch.from_numpy(np.stack(heard))

    def window(self, codes):
        active = (codes[:, None] >> self.rng.permutation(3)) & 1
        if not self.specifications.powerset:
            return active.astype(np.float32)
        classes = [SETS.index(tuple(np.flatnonzero(row))) for row in active]
        return np.log(np.eye(7, dtype=np.float32)[classes] + 1e-6)


def code(*stretches: tuple[float, int]) -> np.ndarray:
    """A wave whose samples say who speaks, from (seconds, speakers)."""
    return np.concatenate([np.full(round(seconds * 16_000), speakers, np.float32) for seconds, speakers in stretches])


@pytest.mark.parametrize("powerset", [True, False])
@given(seed=st.integers(0, 1000), step=st.sampled_from([0.2, 0.5, 1.0]))
def test_a_speaker_keeps_a_number_while_windows_overlap(powerset, seed, step):
    samples = code((1, 1), (0.5, 3), (1, 2), (0.3, 0), (1.5, 2), (0.4, 6), (1, 4), (1, 1))
    heard = Segmentation(Scripted(powerset=powerset, seed=seed), step).hear(samples)
    truth = samples[::160].astype(int)
    numbers = {speaker: int(heard.speakers[truth == speaker].mean(axis=0).argmax()) for speaker in (2, 4)}
    assert numbers[2] != numbers[4]
    assert heard.speakers[truth == 2][:, numbers[2]].min() > 0.99
    np.testing.assert_allclose(heard.overlap, np.isin(truth, (3, 6)), atol=1e-4)


@pytest.mark.parametrize("samples", [1, 159, 16_000, 160_000, 160_001])
def test_frames_cover_the_wave(samples):
    heard = Segmentation(Scripted(powerset=True, seed=0), 0.5).hear(np.zeros(samples, np.float32))
    assert heard.speakers.shape == (-(-samples // 160), 3)
    assert heard.overlap.shape == (-(-samples // 160),)
    assert not heard.speakers.round().any()


def test_the_real_model_hears_speech_and_overlap(diarizer):
    """A reading, and the same with another part of it on top."""
    alone = wave(BECKETT)[16_000:96_000]
    segmentation = diarizer.diarizer.whole_turns.segmentation
    once = segmentation.hear(alone)
    twice = segmentation.hear((alone + wave("pkg:moonshine_voice:assets/two_cities.wav")[16_000:96_000]) / 2)
    assert once.speakers.max(axis=1).mean() > 0.5
    assert np.median(once.overlap) < 0.05
    assert twice.overlap.max() > 0.5
