"""Staging files give back what was put into them."""

import json
import tempfile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.audio.flac import decode_flac, encode_flac
from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.core.timing import StageTimes
from curation.manifests.records import Edit, Hypothesis, MediaInfo, Recording, Segment, Source, Verdict, Word
from curation.manifests.schemas import SPEECH, STAGING
from curation.manifests.staging import BatchName, commit, committed, read, read_speech, speech_rows, to_row
from tests.support.texts.characters import ANY

text = st.text(ANY, max_size=12)
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


def from_rows(row, speech):
    """The inverse of `to_row` and `speech_rows`."""
    source = {**row["source"], "extra": json.loads(row["source"]["extra"])}
    own = {**row, "source": Source(**source), "media": MediaInfo(**row["media"]), "verdict": verdict(row)}
    for said in speech:
        assert {
            name: said.pop(f"span_{name}") for name in ("source", "media", "scores", "notes")
        }.items() <= row.items()
    parts = zip(row["segments"], speech, strict=True)
    made = {"segments": [segment_of(judged, said) for judged, said in parts], "scores": dict(row["scores"])}
    return Recording(**own | made | {"notes": dict(row["notes"])})


def segment_of(judged, said):
    assert said["scores"] == judged["scores"]
    fields = {**judged, **said, "scores": dict(judged["scores"]), "notes": dict(said["notes"])}
    assert fields.pop("id") == judged["id"]
    embedding = said["speaker_embedding"]
    return Segment(
        **fields
        | {
            "verdict": verdict(judged),
            "hypotheses": [
                Hypothesis(**{**item, "words": words_of(item), "scores": dict(item["scores"])})
                for item in said["hypotheses"]
            ],
            "words": words_of(said),
            "edits": [Edit(**edit) for edit in said["edits"]],
            "speaker_embedding": None if embedding is None else np.asarray(embedding, np.float32),
            "audio": None if said["audio"] is None else decode_flac(said["audio"]),
        }
    )


def words_of(row):
    return [Word(**word) for word in row["words"]]


def verdict(row):
    return Verdict(**row["verdict"]) if row["verdict"] else None


@given(recording=recordings)
def test_a_recording_survives_the_way_through_its_files(recording, tmp_path_factory):
    out, name = Storage(str(tmp_path_factory.mktemp("staging"))), BatchName(1, 2)
    commit(out, name, [recording], StageTimes({"cut": 1.5}), audio=False)
    stored = read(out, name)
    speech = out.read_table(name.speech)
    assert stored.table.schema.equals(STAGING)
    assert speech.schema.equals(SPEECH)
    assert from_rows(stored.table.to_pylist()[0], speech.to_pylist()) == recording
    assert stored.times == StageTimes({"cut": 1.5})


@pytest.mark.parametrize("place", [{}, {"last": False}, {"span": 1}])
def test_embedding_and_audio_survive_too(place):
    audio = (np.round(np.linspace(-0.6, 0.6, 5000) * 32768) / 32768).astype(np.float32)
    segment = Segment(0, 5000, audio=audio, speaker_embedding=np.arange(4, dtype=np.float32))
    recording = Recording(Source("r", "r.wav"), segments=[segment], **place)
    row, speech = to_row(recording), speech_rows(recording, audio=True)
    back = from_rows(row, speech).segments[0]
    assert np.array_equal(back.audio, audio)
    assert np.array_equal(back.speaker_embedding, segment.speaker_embedding)
    joined = row["segments"][0]["speaker_embedding"]  # speakers of several spans only are joined
    assert (joined is None) == (place == {})
    assert joined is None or np.array_equal(joined, segment.speaker_embedding)


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


def committed_batch(folder):
    out, name = Storage(str(folder)), BatchName(1, 2)
    segments = [Segment(start, start + 50, text="word " * start) for start in range(0, 5000, 100)]
    commit(out, name, [Recording(Source("r", "r.wav"), num_samples=5000, segments=segments)], StageTimes(), audio=False)
    return out, name


def damaged(path, damage):
    content = bytearray(path.read_bytes())
    if damage == "cut off":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[4 : len(content) // 2] = b"?" * (len(content) // 2 - 4)
        path.write_bytes(content)


@pytest.mark.parametrize("damage", ["cut off", "bits", "another file"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, damage):
    out, name = committed_batch(tmp_path)
    if damage == "another file":
        out.write_table(name.file, STAGING.empty_table())
    else:
        damaged(tmp_path / name.file, damage)
    with pytest.raises(DataError, match=r"staging/00000001-000002\.parquet is damaged.*remove it and run"):
        read(out, name)


def test_a_file_of_another_version_is_named(tmp_path):
    out, name = committed_batch(tmp_path)
    table = out.read_table(name.file)
    out.write_table(name.file, table.replace_schema_metadata({**table.schema.metadata, b"curation.staging": b"1"}))
    with pytest.raises(DataError, match=r"000002\.parquet is of another version of this software: use that one, or"):
        read(out, name)


def chosen(*places):
    ids = [f"r-{place * 100:010d}-{place * 100 + 50:010d}" for place in places]
    return pa.table({"id": pa.array(ids, pa.string()), "place": pa.array(places, pa.int64())})


@given(st.lists(st.integers(0, 49), max_size=8))
def test_speech_is_that_of_the_segments_in_their_order(places):
    with tempfile.TemporaryDirectory() as folder:
        out, name = committed_batch(folder)
        found = read_speech(out, name, chosen(*places), ["text"])
    assert found.to_pydict() == {"text": ["word " * (place * 100) for place in places]}


@given(st.lists(st.integers(1, 49), max_size=8))
def test_speech_is_found_at_the_places_that_it_had_before_a_removal(places):
    with tempfile.TemporaryDirectory() as folder:
        out, name = committed_batch(folder)
        out.write_table(name.speech, out.read_table(name.speech).slice(1))
        found = read_speech(out, name, chosen(*places), ["text"])
    assert found.to_pydict() == {"text": ["word " * (place * 100) for place in places]}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut off", "is damaged"),
        ("bits", "is damaged"),
        ("lost", "is not there"),
        ("of another batch", "has other segments than staging/00000001-000002.parquet"),
        ("empty", "has other segments than staging/00000001-000002.parquet"),
    ],
)
def test_damaged_speech_is_named_with_the_remedy(tmp_path, damage, message):
    out, name = committed_batch(tmp_path)
    if damage == "lost":
        out.remove(name.speech)
    elif damage == "empty":
        out.write_table(name.speech, SPEECH.empty_table())
    elif damage == "of another batch":
        commit(
            out, BatchName(1, 3), [Recording(Source("s", "s.wav"), segments=[Segment(0, 5)])], StageTimes(), audio=False
        )
        out.write_bytes(name.speech, out.read_bytes(BatchName(1, 3).speech))
    else:
        damaged(tmp_path / name.speech, damage)
    remedy = r"remove \S+/staging/00000001-000002\.parquet and run the same command again"
    with pytest.raises(DataError, match=rf"speech/00000001-000002\.parquet {message}.*{remedy}"):
        read_speech(out, name, chosen(3, 0), ["text"])


def test_a_staging_file_that_is_not_there_is_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(Storage(str(tmp_path)), BatchName(0, 0))


def test_a_score_that_is_no_number_was_not_measured():
    """A plug-in may give NaN: SQL and JSON would take it for a value."""
    scores = {"pitch.median": float("nan"), "snr": 3.0, "lag": float(np.float32("nan"))}
    heard = Hypothesis("a", "yes", scores=dict(scores))
    row = Recording(Source("x", "x.wav"), segments=[Segment(0, 9, scores=scores, hypotheses=[heard])], scores=scores)
    (said,) = speech_rows(row, audio=False)
    found = [
        to_row(row)["scores"],
        to_row(row)["segments"][0]["scores"],
        said["scores"],
        said["hypotheses"][0]["scores"],
    ]
    assert found == [[("snr", 3.0)]] * 4
