"""What travels between processes arrives as it was, and may be written into."""

import pickle

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.manifests.records import Recording, Source
from curation.pipeline.runtime.transfer import packed, unpacked
from tests.support.texts.characters import ANY

waves = arrays(np.float32, st.integers(0, 50), elements=st.floats(-1, 1, width=32))


def sent(item):
    """As Ray sends it: the buffers apart from the rest, and not to be written into."""
    buffers = []
    body = pickle.dumps(packed(item), protocol=5, buffer_callback=buffers.append)
    return pickle.loads(body, buffers=[bytes(buffer) for buffer in buffers])  # noqa: S301 - our own


@given(st.tuples(st.text(ANY), st.lists(waves, max_size=3)))
def test_round_trip(item):
    name, arrived = unpacked(sent(item))
    assert name == item[0]
    assert len(arrived) == len(item[1])
    for before, after in zip(item[1], arrived, strict=True):
        assert np.array_equal(before, after)
        after[:] = 2.0


def test_every_second_sample_travels_too():
    assert unpacked(sent(np.arange(10)[::2])).tolist() == [0, 2, 4, 6, 8]


def test_a_wave_that_is_there_twice_travels_once_and_may_be_written():
    wave = np.zeros(10_000, np.float32)
    piece = sent(Recording(Source("a", "a.wav"), audio=wave, original=wave))
    assert piece.nbytes < 1.5 * wave.nbytes
    recording = unpacked(piece)
    assert recording.audio is recording.original
    recording.audio[0] = 1.0
    assert wave[0] == 0.0
