"""A manifest that was corrected: what it says now counts."""

from dataclasses import replace

import pytest

from curation.core.errors import ConfigError
from curation.manifests.inputs import changes
from curation.manifests.inputs.argument import Input
from curation.manifests.inputs.ids import Roots
from curation.manifests.records import Source

OLD = Source("x", "/in/x.wav", "en", "ann", "so", {"year": 1990})
KNOWN = [OLD]
ROOTS = Roots({"/in": ""})


def to_label(*arguments):
    return list(changes.to_label(*arguments))


def row(**values):
    return Input(replace(OLD, **values), manifest="m.jsonl", row=3)


def test_what_is_known_is_not_labelled_again(caplog):
    assert to_label([row()], KNOWN, ROOTS) == []
    assert not caplog.text
    new = Input(Source("y", "/in/y.wav"))
    assert to_label([row(), new], KNOWN, ROOTS) == [new]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("language", "de", "language 'en' -> 'de'"),
        ("language", "", "language 'en' -> ''"),
        ("speaker", "bea", "speaker 'ann' -> 'bea'"),
        ("transcript", "no", "transcript 'so' -> 'no'"),
    ],
)
def test_corrected_values_are_told_and_labelled_again(caplog, name, value, message):
    changed = row(**{name: value})
    assert to_label([changed], KNOWN, ROOTS) == [changed]
    assert f"1 recording will be labelled again, with the new values of m.jsonl, row 3: {message}" in caplog.text


def test_further_columns_are_told_only(caplog):
    assert to_label([row(extra={"year": 1991})], KNOWN, ROOTS) == []
    assert "1 recording: other columns have changed and keep their old values" in caplog.text
    assert "m.jsonl, row 3" in caplog.text


def test_many_changes_are_told_in_a_few_words(caplog):
    known = [replace(OLD, id=str(number)) for number in range(9)]
    items = [Input(replace(source, transcript="b" * 99), manifest="m", row=1) for source in known]
    assert to_label(items, known, ROOTS) == items
    assert "; and 6 more" in caplog.text
    assert "b" * 50 not in caplog.text


def test_a_folder_says_nothing_of_languages(caplog):
    assert to_label([Input(Source("x", "/in/x.wav"))], KNOWN, ROOTS) == []
    assert not caplog.text


def test_another_recording_with_a_known_id_is_refused():
    with pytest.raises(ConfigError, match=r"m\.jsonl, row 3 has the id 'x', which this build has for /in/x\.wav"):
        to_label([row(path="/in/y.wav")], KNOWN, ROOTS)


def test_a_corpus_that_was_moved_is_known():
    roots = Roots({"/in": "", "/new/in": ""})
    assert to_label([row(path="/new/in/x.wav")], KNOWN, roots) == []
