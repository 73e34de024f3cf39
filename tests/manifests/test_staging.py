"""Staging files give back what was put into them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.audio.flac import decode_flac, encode_flac
from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.records import Edit, Hypothesis, MediaInfo, Recording, Segment, Source, Verdict, Word
from curation.manifests.schemas import STAGING
from curation.manifests.staging import BatchName, commit, committed, from_row, opened, to_row

text = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.text("abcdefgh.", min_size=1, max_size=8)
numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.builds(Word, text, st.integers(0, 10**12), st.integers(0, 10**12), st.none() | st.floats(0, 1))
verdicts = st.none() | st.builds(
    Verdict, st.sampled_from(["rejected", "failed"]), names, st.none() | numbers, st.none() | numbers, text
)
hypotheses = st.builds(
    Hypothesis,
    system=names,
    text=text,
    language=names,
    confidence=st.none() | numbers,
    words=st.lists(words, max_size=3),
    error=text,
    scores=st.dictionaries(names, numbers, max_size=3),
)
segments = st.builds(
    Segment,
    start=st.integers(0, 10**10),
    end=st.integers(0, 10**10),
    speaker=names,
    verdict=verdicts,
    scores=st.dictionaries(names, numbers, max_size=3),
    language=names,
    hypotheses=st.lists(hypotheses, max_size=2),
    text=text,
    words=st.lists(words, max_size=3),
    edits=st.lists(st.builds(Edit, st.just("insert"), text, text, st.integers(0, 9), st.none() | numbers), max_size=2),
    notes=st.dictionaries(names, text, max_size=3),
)
recordings = st.builds(
    Recording,
    source=st.builds(Source, names, text, names, names, text, st.dictionaries(names, st.integers() | text, max_size=2)),
    media=st.builds(MediaInfo, st.integers(0, 192000), st.integers(0, 8), names, names, st.none() | numbers),
    span=st.integers(0, 9),
    offset=st.integers(0, 10**10),
    num_samples=st.integers(0, 10**10),
    last=st.booleans(),
    verdict=verdicts,
    segments=st.lists(segments, max_size=3).map(lambda made: sorted(made, key=lambda segment: segment.start)),
    scores=st.dictionaries(names, numbers, max_size=3),
    notes=st.dictionaries(names, text, max_size=3),
)


@given(recording=recordings)
def test_a_recording_survives_the_way_through_a_file(recording, tmp_path_factory):
    out = Storage(str(tmp_path_factory.mktemp("staging")))
    commit(out, BatchName(1, 2), [recording], StageTimes({"cut": 1.5}), audio=False)
    stored = out.read_table(BatchName(1, 2).file)
    assert stored.schema.equals(STAGING)
    assert from_row(stored.to_pylist()[0]) == recording
    with opened(out, BatchName(1, 2)) as file:
        assert file.times == StageTimes({"cut": 1.5})


def test_embedding_and_audio_survive_too():
    audio = (np.round(np.linspace(-0.6, 0.6, 5000) * 32768) / 32768).astype(np.float32)
    segment = Segment(0, 5000, audio=audio, speaker_embedding=np.arange(4, dtype=np.float32))
    row = to_row(Recording(Source("r", "r.wav"), segments=[segment]), audio=True)
    back = from_row(row).segments[0]
    assert np.array_equal(back.audio, audio)
    assert np.array_equal(back.speaker_embedding, segment.speaker_embedding)


@given(wave=arrays(np.float32, st.integers(1, 3000), elements=st.floats(-1, 1, width=32)))
def test_flac_is_exact_to_16_bits(wave):
    assert np.abs(decode_flac(encode_flac(wave)) - wave).max() <= 1 / 32768


@given(unit=st.integers(0, 10**8 - 1), batch=st.integers(0, 10**6 - 1), last=st.booleans())
def test_batch_names_can_be_read_back_and_sort_in_order(unit, batch, last):
    name = BatchName(unit, batch, last)
    assert BatchName.parse(str(name)) == BatchName.parse(f"{name}.parquet") == name
    assert str(name) < str(BatchName(unit + 1, 0)) or unit == 10**8 - 1


def test_a_foreign_file_in_staging_is_named(tmp_path):
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging/notes.txt").touch()
    with pytest.raises(DataError, match=r"notes\.txt is not a staging file.*: remove it"):
        committed(Storage(str(tmp_path)))


def read_all(out, name):
    with opened(out, name) as file:
        return file.times, file.read(["source"], ["id", "text", "scores"])


@pytest.mark.parametrize("damage", ["cut off", "bits", "another file"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, damage):
    out, name = Storage(str(tmp_path)), BatchName(1, 2)
    segments = [Segment(start, start + 50, text="word " * start) for start in range(0, 5000, 100)]
    commit(out, name, [Recording(Source("r", "r.wav"), num_samples=5000, segments=segments)], StageTimes(), audio=False)
    path = tmp_path / name.file
    content = bytearray(path.read_bytes())
    if damage == "cut off":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "bits":
        content[4 : len(content) // 2] = b"?" * (len(content) // 2 - 4)
        path.write_bytes(content)
    else:
        out.write_table(name.file, STAGING.empty_table())
    with pytest.raises(DataError, match=r"staging/00000001-000002\.parquet is damaged.*remove it and run"):
        read_all(out, name)


def test_a_staging_file_that_is_not_there_is_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError), opened(Storage(str(tmp_path)), BatchName(0, 0)):
        pass
