"""The calibrated confidence: its file, and what it says of easy and hard utterances."""

import json
import math

import pyarrow as pa
import pytest

from curation.core.errors import ModelError
from curation.manifests.records import Hypothesis
from curation.manifests.schemas import VERDICTS
from curation.manifests.verdicts import judge
from curation.pipeline.config import load_config
from curation.pipeline.rules import rules_of
from curation.stages.consensus.agreement import agree
from curation.stages.consensus.confidence import DEFAULT, FEATURES, load_calibration
from curation.stages.consensus.stage import Consensus, ConsensusConfig
from curation.text.normalize import normalizer_for
from tests.support.agreement import hypotheses

ENGLISH = normalizer_for("en")


def trusted(texts, confidences, seconds=3.0):
    heard = [
        Hypothesis(f"s{place}", text, "en", confidence)
        for place, (text, confidence) in enumerate(zip(texts, confidences, strict=True))
    ]
    return load_calibration("default").calibration.confidence(agree(heard, ENGLISH, seconds).evidence)


SENTENCE = "the cat sat on the mat and slept"


def test_the_default_calibration_trusts_agreement_and_sure_systems():
    sure = trusted([SENTENCE] * 3, [0.9] * 3)
    unsure = trusted([SENTENCE] * 3, [0.4] * 3)
    disputed = trusted([SENTENCE, "a cat in a hat and sleet", "the fat sat on them at sleep"], [0.4, 0.4, 0.3])
    assert sure > 0.9
    assert sure > unsure > disputed
    assert disputed < 0.7


def test_one_wrong_system_of_five_costs_less_confidence_than_three():
    lone = trusted([SENTENCE] * 4 + ["i do not know"], [0.85] * 5)
    crowd = trusted([SENTENCE] * 2 + ["i do not know", "at thee math", "lept"], [0.85] * 5)
    assert lone > crowd


def test_unknown_features_count_as_the_mean():
    calibration = load_calibration("default").calibration
    assert calibration.confidence([math.nan] * len(FEATURES)) == pytest.approx(
        1 / (1 + math.exp(-calibration.intercept))
    )


def changed(tmp_path, **values):
    file = tmp_path / "c.json"
    file.write_text(json.dumps({**json.loads(DEFAULT.read_text()), **values}))
    return f"path:{file}"


def test_a_file_of_ones_own(tmp_path):
    reference = changed(tmp_path, intercept=-30.0, coefficients=[0.0] * len(FEATURES))
    loaded = load_calibration(reference)
    assert loaded.calibration.confidence([0.0] * len(FEATURES)) < 1e-12
    assert loaded.name.startswith("path:")
    assert loaded.name != load_calibration("default").name


@pytest.mark.parametrize(
    "values",
    [
        {"version": 2},
        {"features": ["other"]},
        {"scale": [0.0] * len(FEATURES)},
        {"mean": [0.0]},
        {"weights": {"whisper-base": -1.0}},
        {"weights": {"whisper-base": 0.0}},
        {"weights": {"whisper-base": math.inf}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_wrong_file_is_refused(tmp_path, values):
    with pytest.raises(ModelError, match="is not a calibration"):
        load_calibration(changed(tmp_path, **values))


def test_a_missing_file_is_told_before_any_work(tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        Consensus(ConsensusConfig(calibration=f"path:{tmp_path}/none.json")).setup()


def verdicts(*overrides):
    scores = {"transcribe.systems": 3.0, "text.words": 5.0, "pwer": 0.05, "boundary.cut": 0.1}
    rows = [{**scores, "confidence.calibrated": 0.8}, {**scores, "confidence.calibrated": 0.95}, scores]
    maps = pa.array([list(row.items()) for row in rows], pa.map_(pa.string(), pa.float64()))
    undecided = pa.array([None] * 3, pa.struct(list(VERDICTS)))
    found = judge(maps, undecided, rules_of(load_config(overrides=overrides)))
    return list(zip(found["status"].to_pylist(), found["reason"].to_pylist(), strict=True))


def test_min_confidence_is_off_by_default_and_filters_where_it_is_set():
    assert [status for status, _ in verdicts()] == ["kept"] * 3
    assert verdicts("consensus.min_confidence=0.9") == [
        ("rejected", "consensus.min_confidence"),
        ("kept", None),
        ("failed", "consensus.min_confidence"),
    ]


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        ([0.5], (math.log(0.5), math.nan, -math.log(0.5), 1.0)),
        ([None], (math.nan, math.nan, math.nan, 1.0)),
        ([0.5, 0.5], (math.log(0.5), 1.0, -math.log(0.5), 0.5)),
        ([0.001], (math.log(0.01), math.nan, -math.log(0.01), 1.0)),  # no confidence counts for less than 0.01
        ([0.5, None], (math.log(0.5), 1.0, -math.log(0.5), 0.5)),
        ([], (math.nan, math.nan, math.nan, 1.0)),
    ],
)
def test_what_is_known_of_an_utterance(confidences, expected):
    """All hear the same two words in 2 s."""
    found = agree(hypotheses(["the cat"] * len(confidences), confidences), ENGLISH, 2.0).evidence
    words = 2 if confidences else 0
    rest = (math.log(1 + words), math.log((1 + words) / 2.0))
    assert found == pytest.approx((*expected, *rest), nan_ok=True)


def test_the_rate_of_a_scrap_is_that_of_a_tenth_of_a_second():
    found = agree(hypotheses(["the cat"]), ENGLISH, 0.01).evidence
    assert found[-1] == pytest.approx(math.log(3 / 0.1))
