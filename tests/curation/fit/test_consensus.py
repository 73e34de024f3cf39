"""Learning the consensus from labelled utterances: the mathematics, the transcripts, and the command with its report
(`curation/fit/consensus_report.py`).
"""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from curation.cli import app
from curation.core.errors import ConfigError
from curation.fit.consensus import Case, ReferenceUtterance, evidence_rows, fit_consensus, folds_of, learn_weights
from curation.fit.reliability import PENALTY, Outcome, bootstrap, fit_logistic, kept_wer, reliability
from curation.fit.transcripts import StmLine, read_stm, read_texts, text_between
from curation.manifests.records import Hypothesis
from curation.stages.consensus.confidence import load_calibration
from tests.curation.fit.heard import hypotheses, said, stages
from tests.support.builds import labelled_segments, rows, toy_build, toy_config


def labelled(count=60):
    return [ReferenceUtterance(f"u{n}", f"g{n % 6}", 3.0, "en", hypotheses(n), " ".join(said(n))) for n in range(count)]


def test_weights_find_the_system_that_is_right():
    weights = learn_weights([Case.of(item) for item in labelled()], "vote")
    assert weights["good"] > weights["bad"]
    assert weights["good"] > weights["worse"]


def test_equal_weights_stay_where_nothing_is_gained():
    same = [Hypothesis(name, "one two three", "en", 0.8) for name in ("a", "b", "c")]
    cases = [Case.of(ReferenceUtterance(f"u{n}", f"g{n}", 1.0, "en", same, "one two four")) for n in range(20)]
    assert learn_weights(cases, "vote") == {"a": 1.0, "b": 1.0, "c": 1.0}


def test_a_fit_learns_weights_and_predicts_the_share_of_right_words():
    fitted = fit_consensus(labelled())
    assert fitted.learned_errors < fitted.equal_errors
    assert fitted.calibration.weights["good"] > 1
    assert fitted.outcome.errors.sum() <= fitted.learned_errors
    assert reliability(fitted.predicted, fitted.outcome.right).expected_error < 0.1


@given(st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40))
def test_folds_split_no_group_and_test_everything_once(groups):
    folds = folds_of(groups)
    assert sorted(i for _, test in folds for i in test) == list(range(len(groups)))
    for train, test in folds:
        assert not set(train) & set(test)
        if len(set(groups)) > 1:
            assert not {groups[i] for i in train} & {groups[i] for i in test}


def test_logistic_agrees_with_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    random = np.random.default_rng(0)
    features = random.standard_normal((400, 3)) * [1, 5, 0.1] + [0, 3, 1]
    chance = 1 / (1 + np.exp(-(features @ [1.0, -0.4, 6.0] - 4)))
    observed = (random.random(400) < chance).astype(float)
    ours = fit_logistic(features, observed, np.ones(400))
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    theirs = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1000).fit(standard, observed)
    assert ours.coefficients == pytest.approx(theirs.coef_[0], abs=1e-3)
    assert ours.predict(features) == pytest.approx(theirs.predict_proba(standard)[:, 1], abs=1e-3)


def test_logistic_takes_unknown_values_as_the_mean():
    features = np.array([[0.0], [1.0], [np.nan], [0.5]])
    model = fit_logistic(features, np.array([0.0, 1.0, 0.5, 0.5]), np.ones(4))
    predicted = model.predict(features)
    assert predicted[2] == pytest.approx(predicted[3])
    assert predicted[0] < predicted[2] < predicted[1]


def test_reliability_by_hand():
    found = reliability(np.array([0.2, 0.4, 0.97, 0.99]), np.array([0.0, 0.5, 1.0, 1.0]))
    assert [(row.count, row.predicted, row.observed) for row in found.bins] == [
        (2, pytest.approx(0.3), 0.25),
        (2, pytest.approx(0.98), 1.0),
    ]
    assert found.expected_error == pytest.approx((2 * 0.05 + 2 * 0.02) / 4)
    assert found.brier == pytest.approx((0.04 + 0.01 + 0.0009 + 0.0001) / 4)


def test_a_weight_counts_as_so_many_utterances():
    draw, times = np.random.default_rng(0), np.array([1, 3, 2, 1, 4])
    seconds, errors, score, right = draw.random((4, 5))
    words = np.array([1.0, 4.0, 9.0, 2.0, 7.0])
    weighted = Outcome(seconds, errors, words, times.astype(float))
    repeated = Outcome(*(np.repeat(values, times) for values in (seconds, errors, words)))
    for share in (0.2, 0.7, 1.0):
        assert kept_wer(weighted, score, share) == pytest.approx(kept_wer(repeated, np.repeat(score, times), share))
    found = reliability(score, right, times.astype(float))
    expected = reliability(np.repeat(score, times), np.repeat(right, times))
    assert (found.brier, found.expected_error) == pytest.approx((expected.brier, expected.expected_error))
    same = [replace(item, weight=1.0) for item in labelled(30)]
    doubted = [replace(item, weight=1.9 if number % 10 > 4 else 0.1) for number, item in enumerate(same)]
    assert fit_consensus(same).calibration == fit_consensus(labelled(30)).calibration
    kept = {"good": 1.0}
    plain, wary = (fit_consensus(items, weights=kept).calibration for items in (same, doubted))
    assert plain.weights == wary.weights == kept
    features = fit_features(same[7])
    assert wary.confidence(features) < plain.confidence(features)


def fit_features(item):
    return tuple(evidence_rows(item, {}, "vote").whole)


def test_kept_wer_takes_ties_in_part():
    outcome = Outcome(np.array([1.0, 1.0, 2.0]), np.array([0.0, 2.0, 4.0]), np.array([10.0, 10.0, 10.0]))
    assert kept_wer(outcome, np.array([3.0, 2.0, 1.0]), 0.25) == 0
    assert kept_wer(outcome, np.array([1.0, 1.0, 0.0]), 0.25) == pytest.approx(0.1)
    assert kept_wer(outcome, np.array([1.0, 1.0, 0.0]), 1.0) == pytest.approx(0.2)
    drawn = bootstrap(outcome, [np.array([3.0, 2.0, 1.0])], [1.0], ["a", "b", "c"], 20)
    assert drawn.shape == (20, 1)
    assert drawn.min() >= 0
    assert drawn.max() <= 0.4


LINES = [StmLine(0.0, 2.0, "one two"), StmLine(2.0, 4.0, "three"), StmLine(6.0, 8.0, "four")]


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [(0, 2, "one two"), (0.1, 4.1, "one two three"), (0, 3, None), (4.2, 5.8, None), (5.5, 9, "four")],
)
def test_lines_between_two_times(start, end, text):
    assert text_between(LINES, start, end) == text


def test_read_stm(tmp_path):
    file = tmp_path / "a.stm"
    file.write_text(";; comment\nrec 1 Ann 0.5 1.25 <o,f0,female> Hello there.\n\nrec 1 Bob 2 3 Hi.\nrec 1 Bob 3 4\n")
    assert read_stm(file) == {"rec": [StmLine(0.5, 1.25, "Hello there."), StmLine(2, 3, "Hi."), StmLine(3, 4, "")]}
    file.write_text("rec 1 Ann zero 1 text\n")
    with pytest.raises(ConfigError, match="line 1"):
        read_stm(file)


def test_read_texts(tmp_path):
    table, lines = tmp_path / "t.csv", tmp_path / "t.jsonl"
    table.write_text('id,text\nu1,"Hello, you."\n')
    lines.write_text('{"id": "u1", "text": "Hello, you."}\n')
    assert read_texts(table) == read_texts(lines) == {"u1": "Hello, you."}
    lines.write_text('{"id": "u1", "text": "Hello,\u2028you."}\r\n')  # which JSON need not escape
    assert read_texts(lines) == {"u1": "Hello,\u2028you."}
    table.write_text("utterance,text\nu1,x\n")
    with pytest.raises(ConfigError, match="columns id and text"):
        read_texts(table)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_fit_from_the_manifest_and_use_of_the_file(built):
    file = built / "calibration.json"
    done = invoke("consensus", "fit", built / "out", "-o", file)
    assert done.exit_code == 0, done.output
    assert "40 labelled utterances" in done.stdout
    calibration = load_calibration(f"path:{file}").calibration
    assert calibration.weights["good"] > calibration.weights["bad"]
    config = toy_config()
    own = config.model_copy(update={"consensus": config.consensus.model_copy(update={"calibration": f"path:{file}"})})
    toy_build(built / "in.jsonl", built / "again", own, make_stages=partial(stages))
    before = {row["id"]: row["text"] for row in labelled_segments(built / "out")}
    after = {row["id"]: row for row in labelled_segments(built / "again")}
    better = sum(after[key]["text"] == " ".join(said(int(key[1:3]))) for key in after)
    assert better > sum(text == " ".join(said(int(key[1:3]))) for key, text in before.items())
    assert all(dict(row["notes"])["consensus.calibration"].startswith("path:") for row in after.values())


def test_another_threshold_of_the_confidence_runs_no_stage(built):
    config = toy_config()
    loose = {"max_pwer": 100.0, "min_confidence": 0.8}
    own = config.model_copy(update={"consensus": config.consensus.model_copy(update=loose)})
    toy_build(built / "in.jsonl", built / "out", own, make_stages=lambda _: pytest.fail("labels again"))
    scores = {
        row["id"]: dict(row["scores"])["confidence.calibrated"]
        for recording in rows(built / "out", "staging")
        for row in recording["segments"]
    }
    told = {row["utterance_id"]: row for row in rows(built / "out", "ledger")}
    rejected = {key for key, row in told.items() if row["reason"] == "consensus.min_confidence"}
    assert rejected == {key for key, score in scores.items() if score < 0.8}
    assert 0 < len(rejected) < len(scores)
    assert all(told[key]["value"] == scores[key] for key in rejected)


def test_fit_from_a_table_as_json(built):
    ids = [segment["id"] for row in rows(built / "out", "staging") for segment in row["segments"]]
    table = built / "texts.jsonl"
    texts = [{"id": key, "text": " ".join(said(int(key[1:3])))} for key in ids[:35]]
    table.write_text("".join(json.dumps(line) + "\n" for line in texts))
    done = invoke("consensus", "fit", built / "out", "--transcripts", table, "-o", built / "c.json", "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert report["utterances"] == 35
    assert sum(report["left_out"].values()) == 5
    assert report["errors_learned_weights"] < report["errors_equal_weights"]
    assert report["kept"][0]["share"] == 0.25


def test_fit_from_stm(built):
    stm = built / "all.stm"
    stm.write_text("".join(f"r{n:02} 1 A 0 9 {' '.join(said(n))}\n" for n in range(40)))
    done = invoke("consensus", "fit", built / "out", "--transcripts", stm, "-o", built / "s.json")
    assert done.exit_code == 2
    assert "0 utterances with a transcript" in " ".join(done.output.split())  # the lines outlast the recordings
    stm.write_text("".join(f"r{n:02} 1 A 0 0.3 {' '.join(said(n))}\n" for n in range(40)))
    assert invoke("consensus", "fit", built / "out", "--transcripts", stm, "-o", built / "s.json").exit_code == 0


def test_without_labels_or_build_it_says_what_to_do(built, tmp_path):
    (tmp_path / "t.csv").write_text("id,text\n")
    few = invoke("consensus", "fit", built / "out", "--transcripts", tmp_path / "t.csv", "-o", tmp_path / "c.json")
    assert few.exit_code == 2
    assert "at least 30" in " ".join(few.output.split())
    assert invoke("consensus", "fit", tmp_path, "-o", tmp_path / "c.json").exit_code == 2
