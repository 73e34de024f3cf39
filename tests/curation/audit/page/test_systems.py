"""How often systems disagree: word errors of each pair, by weight; and the share of outliers."""

from curation.audit.corpus import Corpus
from curation.audit.page.systems import Disagreement, outliers
from curation.manifests.records import Hypothesis
from tests.support.audit.segments import write_segments


def heard(**texts):
    return [Hypothesis(system, text) for system, text in texts.items()]


def test_errors_and_words_are_weighted():
    found = Disagreement()
    found.add("en", heard(a="one two three four", b="one too three"), weight=10.0)
    found.add("en", heard(a="yes", b="Yes."), weight=2.0)
    assert found.rows() == [["en", "a", "b", 20.0, 42.0, 2], ["en", "b", "a", 20.0, 32.0, 2]]


def test_languages_stand_apart_and_failures_do_not_count():
    found = Disagreement()
    found.add("en", [*heard(a="one", b="one"), Hypothesis("c", "", error="out of memory")], weight=1.0)
    found.add("zh", heard(a="你好", b="你們好"), weight=1.0)
    assert found.rows() == [
        ["en", "a", "b", 0.0, 1.0, 1],
        ["en", "b", "a", 0.0, 1.0, 1],
        ["zh", "a", "b", 1.0, 2.0, 1],
        ["zh", "b", "a", 1.0, 3.0, 1],
    ]


def test_outliers_are_counted_among_the_utterances_that_a_system_heard(tmp_path):
    systems = [{"system": name, "text": "x", "error": ""} for name in "abc"]
    common = {"recording_id": "r", "start": 0.0, "seconds": 1.0, "status": "kept", "language": "en"}
    rows = [
        {"id": "1", "hypotheses": systems, "outlier": "c", **common},
        {"id": "2", "hypotheses": [*systems[:2], {**systems[2], "error": "it broke"}], **common},
        {"id": "3", **common},
    ]
    write_segments(tmp_path, rows)
    found = outliers(Corpus.open(str(tmp_path)))
    assert found == [["en", "a", 2, 0], ["en", "b", 2, 0], ["en", "c", 1, 1]]
