"""What a publish pass writes at once: a bounded piece, whatever the size of a shard or a recording."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests import plan
from curation.manifests.groups import groups
from curation.pipeline import writers
from curation.pipeline.run import build
from tests.support.builds import table, toy_build, toy_config, write_recordings
from tests.support.story import publish_again
from tests.support.toy import toy_stages


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


def test_a_corpus_that_grew_is_the_one_that_was_built_at_once_whatever_is_in_memory(tmp_path, monkeypatch):
    """Recordings that come later lie between the earlier ones, in groups and parts of one unit, or of all."""
    config = toy_config(unit_files=2)
    config = config.model_copy(update={"publish": config.publish.model_copy(update={"shard_hours": 3 / 3600})})
    folder = write_recordings(tmp_path / "in", list("abcdefgh"), seconds=2)
    toy_build(folder, tmp_path / "whole", config)
    for most, units in ((1, 1), (64, 256)):
        monkeypatch.setattr(plan, "UNITS_PER_PART", units)
        monkeypatch.setattr(writers, "groups", partial(groups, most_files=most))
        monkeypatch.setattr(writers, "KEPT_ROWS", most)
        out = tmp_path / f"grown-{most}"
        for names in ("aceg", "bcf", "dh"):
            build(config, [f"{folder}/{name}.wav" for name in names], str(out), make_stages=toy_stages)
        for name in ("ledger", "shards"):
            expected = table(tmp_path / "whole", name)
            assert expected.num_rows > 8
            assert table(out, name).equals(expected)
        assert len(list((out / "ledger").iterdir())) == (4 if units == 1 else 3)
