"""The columns of a manifest row."""

import pytest

from curation.core.errors import ConfigError
from curation.manifests.inputs.rows import ManifestRow


def source(**values):
    return ManifestRow({"path": "a.wav", **values}, "m.jsonl, row 3").source("/x/a.wav", "made")


def test_columns_and_what_is_left():
    found = source(id="mine", language="English", speaker="ann", transcript=" so ", year=1990, seen=None)
    assert (found.id, found.path, found.language, found.speaker) == ("mine", "/x/a.wav", "en", "ann")
    assert (found.transcript, found.extra) == ("so", {"year": 1990})


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (7, "7"), (7.0, "7"), (7.5, "7.5"), (None, ""), ("", ""), (" ann ", "ann")]
)
def test_numbers_are_values_and_nothing_is_none(value, text):
    found = source(id=value, speaker=value, transcript=value)
    assert (found.id, found.speaker, found.transcript) == (text or "made", text, text)


@pytest.mark.parametrize(
    ("names", "field"),
    [
        (("language", "lang", "locale"), "language"),
        (("speaker", "speaker_id", "client_id"), "speaker"),
        (("transcript", "text", "sentence"), "transcript"),
    ],
)
def test_other_names_of_a_column_are_read_and_passed_on(names, field):
    own, *others = names
    for name in others:
        found = source(**{own: "", name: "de"})
        assert (getattr(found, field), found.extra) == ("de", {name: "de"})
        assert getattr(source(**{own: "fr", name: "de"}), field) == "fr"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"language": "Elbonian"}, "row 3: language: 'Elbonian' is no language: write its name or its ISO 639 code"),
        ({"lang": 7}, "row 3: lang: '7' is no language"),
        ({"language": ["en"]}, "^m.jsonl, row 3: language: expected a text, found list$"),
        ({"speaker": ["ann"]}, "row 3: speaker: expected a text, found list"),
        ({"id": {"a": 1}}, "row 3: id: expected a text, found dict"),
        ({"id": "a/b"}, "row 3: id 'a/b' may hold only"),
    ],
)
def test_what_cannot_be_used_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        source(**values)


def test_segments_and_tracks():
    """NeMo's columns. A duration alone is the length of the file."""
    whole, part, rest, second = (
        source(**values)
        for values in (
            {"duration": 9.5},
            {"offset": "1.5", "duration": 2.0},
            {"offset": 0},
            {"track": 1.0, "offset": 2},
        )
    )
    assert (whole.id, whole.offset, whole.duration, whole.extra) == ("made", None, None, {"duration": 9.5})
    assert (part.id, part.offset, part.duration, part.extra) == ("made-at24000-56000", 1.5, 2.0, {})
    assert (rest.id, rest.offset, rest.duration) == ("made-at0", 0.0, None)
    assert (second.id, second.track, second.offset, second.extra) == ("made-track1-at32000", 1, 2.0, {})
    assert source(id="mine", offset=1.5).id == "mine"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"offset": -1}, "row 3: offset: expected seconds, found '-1'"),
        ({"offset": "00:01:02"}, "row 3: offset: expected seconds, found '00:01:02'"),
        ({"offset": 1, "duration": 0}, "row 3: duration: expected seconds, found '0'"),
        ({"offset": 1, "duration": "inf"}, "row 3: duration: expected seconds, found 'inf'"),
        ({"offset": [1]}, "row 3: offset: expected a text, found list"),
        ({"track": 1.5}, "row 3: track: expected a whole number from 0, found '1.5'"),
    ],
)
def test_places_that_are_none_are_named(values, message):
    with pytest.raises(ConfigError, match=message):
        source(**values)


@pytest.mark.parametrize("values", [{}, {"path": None, "audio": 7}, {"file": "a.wav"}, {"path": " "}])
def test_a_row_without_a_path_says_what_it_has(values):
    with pytest.raises(ConfigError, match=rf"row 3: no path; expected a text column 'path'.*{[*values, 'no'][0]}"):
        _ = ManifestRow(values, "m.jsonl, row 3").path
