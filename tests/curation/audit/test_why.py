"""Why an utterance is kept or not, by its id, or by a place in its recording."""

import pytest

from curation.audit.corpus import Corpus
from curation.audit.why import why
from curation.core.errors import ConfigError


@pytest.fixture(scope="module")
def corpus(story):
    return Corpus.open(str(story / "out"))


def test_all_rules_with_value_threshold_and_margin(corpus):
    found = why(corpus, "refused-0000040000-0000048000")
    rules = {rule["rule"]: rule for rule in found["rules"]}
    cut, words, pwer = (rules[name] for name in ("boundary.max_cut", "consensus.min_words", "consensus.max_pwer"))
    assert (cut["value"], cut["threshold"], cut["broken"], cut["primary"]) == (0.9375, 0.5, True, True)
    assert cut["margin"] == pytest.approx(-0.4375)
    assert (pwer["value"], pwer["broken"], pwer["primary"]) == (0.5, True, False)
    assert (words["margin"], words["broken"]) == (1.0, False)
    assert (found["text"], [item["system"] for item in found["hypotheses"]]) == ("one two", ["one", "two"])
    assert found["scores"]["recording.level"] == -20.0
    assert found["scores"]["transcribe.systems"] == 1.0


def test_what_was_not_measured_is_missing_and_not_0(corpus):
    rules = {rule["rule"]: rule for rule in why(corpus, "unsure-0000008000-0000016000")["rules"]}
    pwer = rules["consensus.max_pwer"]
    assert (pwer["value"], pwer["margin"], pwer["missing"], pwer["broken"], pwer["primary"]) == (
        *(None, None, True, False, True),
    )


@pytest.mark.parametrize(
    ("place", "identifier"),
    [
        ("ann@0.5", "ann-0000008000-0000024000"),
        ("ann.wav@0:01.25s", "ann-0000008000-0000024000"),
        ("in/ann.wav@2.0s", "ann-0000032000-0000052000"),
        ("silent@0.2", None),
        ("silent-0000000000-0000024000", None),
    ],
)
def test_a_place_in_a_recording(corpus, place, identifier):
    found = why(corpus, place)
    assert found["id"] == identifier
    assert found["recording_id"] == place.removeprefix("in/")[: len(found["recording_id"])]


def test_a_place_where_nobody_speaks_is_non_speech(corpus):
    found = why(corpus, "ann@1.75")
    assert (found["status"], found["start"], found["end"], found["rules"]) == ("non_speech", 1.5, 2.0, [])


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nobody", "has no utterance 'nobody': give an id"),
        ("nn.wav@1", "has no recording 'nn.wav'"),
        ("ann@99", "ann ends before 99 s"),
        ("' OR 1=1 --@1", "has no recording"),
    ],
)
def test_what_is_not_there_is_said(corpus, what, message):
    with pytest.raises(ConfigError, match=message):
        why(corpus, what)
