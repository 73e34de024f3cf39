"""What travels between processes arrives as it was, and may be written into."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.manifests.records import Recording, Source
from curation.pipeline.runtime.transfer import packed, unpacked

waves = arrays(np.float32, st.integers(0, 50), elements=st.floats(-1, 1, width=32))


@given(st.lists(st.tuples(st.text(), st.lists(waves, max_size=3)), max_size=4))
def test_round_trip(objects):
    found = list(unpacked(packed(objects)))
    assert [name for name, _ in found] == [name for name, _ in objects]
    for (_, expected), (_, arrived) in zip(objects, found, strict=True):
        assert len(arrived) == len(expected)
        assert all(np.array_equal(a, b) for a, b in zip(arrived, expected, strict=True))


def test_rows_survive_slicing_and_joining():
    table = pa.concat_tables([packed([1, "two"]), packed([np.arange(3)])])
    assert list(unpacked(table.slice(1, 1))) == ["two"]
    assert next(unpacked(table.slice(2))).tolist() == [0, 1, 2]


def test_a_wave_that_is_there_twice_travels_once_and_may_be_written():
    wave = np.zeros(10_000, np.float32)
    table = packed([Recording(Source("a", "a.wav"), audio=wave, original=wave)])
    assert table.nbytes < 1.5 * wave.nbytes
    recording = next(unpacked(table))
    assert recording.audio is recording.original
    recording.audio[0] = 1.0
    assert wave[0] == 0.0
    with pytest.raises(StopIteration):
        next(unpacked(packed([])))
