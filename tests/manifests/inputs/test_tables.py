"""Manifests are read strictly: what does not fit the format is an error with its row, and nothing is lost."""

import io
import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.core.errors import ConfigError
from curation.manifests.inputs.tables import is_manifest, rows_of

NAN = float("nan")


def read(content, name):
    return list(rows_of(io.BytesIO(content if isinstance(content, bytes) else content.encode()), name))


def values(content, name):
    return [row for _, row in read(content, name)]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(TEXTS, JSON, max_size=4), min_size=1, max_size=5), st.booleans())
def test_json_comes_back_whatever_characters_it_holds(rows, ascii_only):
    """Also line and paragraph separators of Unicode, which `json.dumps` leaves as they are."""
    lines = "\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows)
    assert values(lines, "m.jsonl") == values(lines, "m.json") == rows
    assert values(json.dumps(rows, indent=1, ensure_ascii=ascii_only), "m.json") == rows


FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1)


@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=5))
def test_csv_comes_back_when_it_is_quoted(rows):
    quoted = [",".join('"' + value.replace('"', '""') + '"' for value in row) for row in rows]
    assert values("\n".join(["path,transcript", *quoted]), "m.csv") == [
        {"path": path, "transcript": transcript} for path, transcript in rows
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(("suffix", "mark"), [("csv", ","), ("tsv", "\t"), ("TSV", "\t")])
def test_separated_values(suffix, mark, end):
    lines = [f"path{mark}text", f"a.wav{mark}well", "", f"b.wav{mark}"]
    for content in (end.join(lines), end.join(lines) + end):
        assert read(content, f"m.{suffix}") == [
            (1, {"path": "a.wav", "text": "well"}),
            (2, {"path": "b.wav", "text": None}),
        ]


def test_tsv_has_no_quotes():
    assert values('path\tsentence\na.mp3\t"Hello," he said.\n', "m.tsv") == [
        {"path": "a.mp3", "sentence": '"Hello," he said.'}
    ]


def test_a_long_transcript_is_a_field_of_csv():
    assert len(values("path,text\na.wav," + "word " * 200_000, "m.csv")[0]["text"]) == 1_000_000


def test_numbers_that_are_none_are_missing_in_every_format():
    sink = io.BytesIO()
    table = pa.table({"path": ["a", "b"], "snr": [NAN, 7.5], "more": [[NAN, 1.0], None]})
    pq.write_table(table, sink)
    expected = [{"path": "a", "snr": None, "more": [None, 1.0]}, {"path": "b", "snr": 7.5, "more": None}]
    assert values(sink.getvalue(), "m.parquet") == expected
    lines = '{"path": "a", "snr": NaN, "more": [Infinity, 1.0]}\n{"path": "b", "snr": 7.5, "more": null}'
    assert values(lines, "m.jsonl") == expected


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "1e999"])
def test_an_infinite_place_is_no_missing_one(number):
    """It stood for the whole file."""
    with pytest.raises(ConfigError, match=r"row 2: offset: expected a number, found -?inf"):
        values(f'{{"path": "a"}}\n{{"path": "a", "offset": {number}, "duration": 1}}', "m.jsonl")


def test_texts_of_parquet_that_are_not_marked_as_texts():
    sink = io.BytesIO()
    pq.write_table(pa.table({"path": ["é.wav".encode(), b"\xff.wav"]}), sink)
    assert values(sink.getvalue(), "m.parquet") == [{"path": "é.wav"}, {"path": "\\xff.wav"}]


def test_values_of_arrow_are_those_of_json():
    sink = io.BytesIO()
    table = pa.table(
        {
            "number": pa.array([Decimal("7.0"), Decimal("7.5")]),
            "day": [date(2024, 2, 3), None],
            "map": pa.array([[("a", 1.0)], None], pa.map_(pa.string(), pa.float64())),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
        }
    )
    pq.write_table(table, sink)
    assert values(sink.getvalue(), "m.parquet") == [
        {"number": 7.0, "day": "2024-02-03", "map": [["a", 1.0]], "kind": "x"},
        {"number": 7.5, "day": None, "map": None, "kind": "y"},
    ]


HALF = '{"path": "b", "text": "\\ud83d"}'


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.jsonl", '{"path": "a"}\n\n{"path": "b', r"m\.jsonl, row 3: it is not JSON: .* at column 10$"),
        ("m.jsonl", '{"path": "a"}\n["b"]', r"m\.jsonl, row 2: expected an object such as .*, found list"),
        ("m.json", '[{"path": "a"}, 7]', r"m\.json, row 2: expected an object .*, found int"),
        ("m.json", '[{"path": "a"},', r"m\.json: it is not JSON: .*line 1 column 16"),
        ("m.jsonl", '{"path": "a"}\n' + HALF, r"m\.jsonl, row 2: text: .*half of a character"),
        ("m.jsonl", '{"path": "a", "x": [{"\\udc00": 1}]}', r"row 1: x: .*half of a character"),
        ("m.jsonl", '{"path": "a", "language": "de", "language": "en"}', r"row 1: .*'language' stands twice"),
        ("m.jsonl", "[" * 100_000, r"row 1: it is not JSON"),
        ("m.jsonl", b'{"path": "a"}\n{"path": "caf\xe9"}', r"row 2: it is not UTF-8"),
        ("m.csv", "path,text\na.wav,well\nx.wav,Well, I never", r"m\.csv, row 2: 3 fields where the header has 2"),
        ("m.csv", "path,text\na.wav", r"row 1: 1 fields where the header has 2 \(path, text\)"),
        ("m.csv", 'path,text\na.wav,"well\nb.wav,no\n', r"row 1: .*end of data.*quotes"),
        ("m.csv", 'path,text\na.wav,"well\nb.wav,"no"\n', r"row 1: .*expected after.*quotes"),
        ("m.csv", 'path,text\na.wav,well\nb.wav,"so\nc.wav,no"\nd.wav,x', r"row 2: text: a quote is not closed"),
        ("m.csv", "path,text,path\na.wav,well,b.wav", r"m\.csv: the column 'path' stands twice"),
        ("m.tsv", "path\ttext\na.wav\twell\tso", r"m\.tsv, row 1: 3 fields"),
        ("m.parquet", "PAR1", r"m\.parquet cannot be read as parquet"),
    ],
)
def test_what_does_not_fit_is_named(name, content, message):
    with pytest.raises(ConfigError, match=message):
        read(content, name)


def test_nothing_is_read_before_it_is_asked_for():
    """A manifest of millions of rows streams."""
    rows = rows_of(io.BytesIO(b'{"path": "a"}\nno json'), "m.jsonl")
    assert next(rows) == (1, {"path": "a"})
    with pytest.raises(ConfigError, match="row 2"):
        next(rows)


def test_what_a_manifest_is():
    names = ["m.jsonl", "m.json", "m.CSV", "m.tsv", "s3://b/m.parquet", "m.wav", "m", "m.jsonl.gz"]
    assert [is_manifest(name) for name in names] == [True] * 5 + [False] * 3
