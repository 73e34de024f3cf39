"""The global tokens: fine enough to restore a voice, and taken out of what the codes see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.tokenize.compact.features import NUM_MELS
from curation.tokenize.compact.speaker import (
    GLOBAL_SIZE,
    NORMAL_LIMIT,
    NUM_GLOBAL,
    STEPS_PER_DEVIATION,
    SpeakerSpace,
    Voice,
    cosines,
    describe,
)

SPACE = SpeakerSpace(
    np.linspace(-3, 3, NUM_GLOBAL).astype(np.float32), np.linspace(0.1, 2, NUM_GLOBAL).astype(np.float32)
)


def clip(seed=0, count=200):
    """Frames of something like speech: a slope over the bands, loudness and pitch that move."""
    random = np.random.default_rng(seed)
    mel = random.normal(-4, 1, (count, NUM_MELS)) + np.linspace(1, -1, NUM_MELS)
    log_f0 = np.log(150) + random.normal(0, 0.15, count)
    return mel.astype(np.float32), log_f0.astype(np.float32), random.random(count) < 0.7


@given(st.lists(st.floats(-7.5, 7.5), min_size=NUM_GLOBAL, max_size=NUM_GLOBAL))
def test_values_come_back_to_half_a_step(deviations):
    values = (SPACE.centre + np.array(deviations) * SPACE.scale).astype(np.float32)
    ids = SPACE.ids(values)
    assert 0 <= ids.min() <= ids.max() < GLOBAL_SIZE
    assert np.all(np.abs(SPACE.values(ids) - values) <= SPACE.scale * (0.5 / STEPS_PER_DEVIATION + 1e-3))


def test_what_is_far_out_is_the_last_code():
    far = SPACE.centre + 100 * SPACE.scale
    assert set(SPACE.ids(far)) == {GLOBAL_SIZE - 1}
    assert set(SPACE.ids(-far + 2 * SPACE.centre)) == {0}


def test_the_basis_is_orthonormal():
    np.testing.assert_allclose(cosines(21) @ cosines(21).T, np.eye(21), atol=1e-5)


def test_normalised_frames_are_restored():
    mel, log_f0, voiced = clip()
    voice = Voice.of(describe(mel, log_f0, voiced))
    rows = voice.normalise(mel, log_f0, voiced)
    assert rows.shape == (len(mel) // 2, 2 * (NUM_MELS + 2))
    again_mel, again_f0, again_voiced = voice.restore(rows)
    inside = np.abs((mel - voice.mean) / voice.spread) < NORMAL_LIMIT
    np.testing.assert_allclose(again_mel[inside], mel[inside], atol=1e-4)
    np.testing.assert_allclose(again_f0, log_f0, atol=1e-4)
    np.testing.assert_array_equal(again_voiced > 0.5, voiced)


def test_loudness_and_pitch_are_in_the_globals_and_not_in_the_rows():
    mel, log_f0, voiced = clip()
    plain, louder = describe(mel, log_f0, voiced), describe(mel + 1.5, log_f0 + 0.5, voiced)
    assert not np.allclose(plain, louder, atol=0.1)
    rows = [
        Voice.of(values).normalise(m, f, voiced)
        for values, m, f in ((plain, mel, log_f0), (louder, mel + 1.5, log_f0 + 0.5))
    ]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-3)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_silence_and_unvoiced_frames_do_not_count(share):
    """Pauses of a clip change neither its spectrum nor, as the frames there are unvoiced, its pitch."""
    mel, log_f0, voiced = clip(count=400)
    pause = int(share * 400)
    quiet = np.full((pause, NUM_MELS), -11.0, np.float32)
    both = np.concatenate([mel, quiet])
    padded = describe(
        both, np.concatenate([log_f0, np.full(pause, 3.0, np.float32)]), np.concatenate([voiced, np.zeros(pause, bool)])
    )
    np.testing.assert_allclose(padded, describe(mel, log_f0, voiced), atol=0.3)
    assert padded[-2] == pytest.approx(describe(mel, log_f0, voiced)[-2], abs=1e-6)
