"""What a publish pass writes at once: a bounded piece, whatever the size of a shard or a recording."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.pipeline import writers
from tests.support.builds import table
from tests.support.story import publish_again


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), max_size=8), st.sampled_from([0.0, 3.0, 1800.0]))
def test_pieces_are_all_rows_in_order_and_end_with_a_file_once_they_are_long_enough(files, seconds):
    file = np.repeat(np.arange(len(files)), [rows for rows, _ in files])
    lengths = np.repeat([length * 16_000 for _, length in files], [rows for rows, _ in files]).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "PIECE_SECONDS", seconds)
        found = list(writers.pieces(file, lengths))
    assert [row for start, end in found for row in range(start, end)] == list(range(len(file)))
    for (start, end), _ in itertools.pairwise(found):
        assert file[end - 1] != file[end]
        assert lengths[start:end].sum() >= seconds * 16_000
    for start, end in found:  # no file more than what is needed
        assert start < end
        before = file[start:end] < file[end - 1]
        assert lengths[start:end][before].sum() < max(seconds * 16_000, 1)


def test_a_recording_in_pieces_gives_the_same_shards(story, tmp_path, monkeypatch):
    found = []
    for seconds in (0.0, 1e9):
        monkeypatch.setattr(writers, "PIECE_SECONDS", seconds)
        (tmp_path / str(seconds)).mkdir()
        found.append(table(publish_again(story, tmp_path / str(seconds), "publish.audio=true"), "shards"))
    assert found[0].equals(found[1])
    assert found[0]["audio"].null_count == 1  # the utterance without audio in staging
