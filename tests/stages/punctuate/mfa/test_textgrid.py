"""Word times in real files of Montreal Forced Aligner 3.4.3, in its three formats, and in damaged ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.stages.punctuate.mfa.textgrid import read_words

GOLDEN = Path(__file__).parents[3] / "data" / "mfa" / "golden"
NAMES = sorted(path.stem for path in (GOLDEN / "json").iterdir())
LONG = GOLDEN / "textgrid" / "oov.TextGrid"


def short(intervals, *, tier="words", end=9.0) -> str:
    """A TextGrid in the short format."""
    rows = [f'{start}\n{stop}\n"{text.replace(chr(34), chr(34) * 2)}"' for start, stop, text in intervals]
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", str(end), "<exists>", "1"]
    return "\n".join([*head, '"IntervalTier"', f'"{tier}"', "0", str(end), str(len(rows)), *rows, ""])


@pytest.mark.parametrize("name", NAMES)
def test_the_three_formats_hold_the_same(name):
    words = read_words(GOLDEN / "json" / f"{name}.json")
    assert len(words) >= 8
    for kind, suffix in (("textgrid", "TextGrid"), ("csv", "csv")):
        others = read_words(GOLDEN / kind / f"{name}.{suffix}")
        assert [word.text for word in others] == [word.text for word in words]
        for word, other in zip(words, others, strict=True):
            assert (other.start, other.end) == pytest.approx((word.start, word.end), abs=1e-6)


def test_words_outside_the_dictionary_keep_their_text():
    words = {word.text: word for word in read_words(LONG)}
    assert (words["selfishzq"].start, words["selfishzq"].end) == (2.96, 3.59)
    assert "" not in words


def test_short_format_and_encodings(tmp_path):
    path = tmp_path / "a.TextGrid"
    text = short([(0, 0.5, ""), (0.5, 1.0, 'say "no"'), (1, 1.5, "naïve")])
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        path.write_bytes(text.encode(encoding))
        assert [(word.start, word.end, word.text) for word in read_words(path)] == [
            (0.5, 1.0, 'say "no"'),
            (1.0, 1.5, "naïve"),
        ]


def test_tiers_of_several_speakers_are_joined_in_order_of_time(tmp_path):
    one, other = short([(1, 2, "b")], tier="anna - words"), short([(0, 1, "a")], tier="ben - words")
    second = other.split("<exists>\n1\n")[1]
    (tmp_path / "a.TextGrid").write_text(one.replace("<exists>\n1\n", "<exists>\n2\n") + second)
    assert [word.text for word in read_words(tmp_path / "a.TextGrid")] == ["a", "b"]


def test_points_and_comments_are_passed_over(tmp_path):
    text = short([(0, 1, "a")]).replace("<exists>\n1\n", '<exists>\n2\n"TextTier" "words" 0 9 1 0.5 "x" ! "no" 7\n')
    (tmp_path / "a.TextGrid").write_text(text)
    assert [word.text for word in read_words(tmp_path / "a.TextGrid")] == ["a"]


@pytest.mark.parametrize("cut", [0, 10, 60, 200, 1000, 3000])
def test_a_file_that_ends_early_is_an_error(tmp_path, cut):
    (tmp_path / "a.TextGrid").write_text(LONG.read_text()[:cut])
    with pytest.raises(ValueError, match=r"a\.TextGrid: not an alignment"):
        read_words(tmp_path / "a.TextGrid")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "[]"),
        ("a.json", '{"tiers": {"words": {"entries": [[1, 2]]}}}'),
        ("a.json", '{"tiers": {"words": {"entries": [[2, 1, "x"]]}}}'),
        ("a.json", '{"tiers": {"words": {"entries": [[NaN, 1, "x"]]}}}'),
        ("a.json", "[" * 100_000),
        ("a.csv", "a,b\n1,2\n"),
        ("a.csv", "Begin,End,Label,Type,Speaker\nx,1,y,words,z\n"),
        ("a.TextGrid", short([(1, 0.5, "x")])),
        ("a.TextGrid", short([(0, 1, "x")]).replace('"x"', "x")),
        ("a.lab", ""),
    ],
)
def test_wrong_content_names_the_file(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=name):
        read_words(tmp_path / name)


def test_other_json_layout(tmp_path):
    tier = '{"class": "IntervalTier", "name": "words", "entries": [[0, 1, "a"], [1, 2, "<eps>"]]}'
    (tmp_path / "a.json").write_text(f'{{"tiers": [{tier}]}}')
    assert [word.text for word in read_words(tmp_path / "a.json")] == ["a"]


LABELS = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)


@given(st.lists(LABELS, max_size=6))
def test_any_label_survives(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("grid") / "a.TextGrid"
    labels = [label for label in labels if label not in {"<eps>", "<sil>", "sil"}]
    path.write_text(short([(n, n + 1, label) for n, label in enumerate(labels)]), encoding="utf-8")
    assert [word.text for word in read_words(path)] == labels
