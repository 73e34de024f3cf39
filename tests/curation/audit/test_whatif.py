"""Other thresholds: the hours that are promised are those that a publish pass with them gives, to the sample."""

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audit.whatif import changed_rules, what_if
from curation.core.errors import ConfigError
from curation.pipeline.run import build
from tests.support.builds import rows
from tests.support.scripted import noise, out_of_it, scripted_stages, utterance, write_corpus
from tests.support.story import story_config

THRESHOLDS = st.fixed_dictionaries(
    {
        "boundary.max_cut": st.sampled_from([0.1, 0.5, 0.9375, 1.0]),
        "transcribe.min_independent": st.sampled_from([1, 2, 3]),
        "consensus.min_words": st.sampled_from([0, 1, 3]),
        "consensus.max_pwer": st.sampled_from([0.0625, 0.1, 0.15, 0.5, 2.0]),
        "consensus.max_self_inconsistency": st.sampled_from([0.0, 0.1, 0.5]),
        "consensus.min_self_confidence": st.sampled_from([0.0, 0.5, 0.7]),
        "consensus.min_confidence": st.sampled_from([0.0, 0.5, 0.875]),
    }
)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A build of 60 utterances in which every score takes every value, or is missing."""
    folder, draw = tmp_path_factory.mktemp("scored"), np.random.default_rng(0)
    values = {
        "boundary.cut": [0.0, 0.3, 0.9375, 0.95],
        "transcribe.systems": [1.0, 2.0, 3.0],
        "text.words": [0.0, 1.0, 4.0],
        "pwer": [0.0, 0.0625, 0.1, 0.15, 0.7, None],
        "consensus.self_inconsistency": [0.0, 0.2, None],
        "confidence": [0.5, 0.7, None],
        "confidence.calibrated": [0.4, 0.5, 0.9, None],
    }
    recordings = {}
    for number in range(3):
        segments = []
        for place in range(20):
            drawn = {name: options[draw.integers(len(options))] for name, options in values.items()}
            start, end = place / 4, place / 4 + [0.125, 0.1875][draw.integers(2)]
            segments.append(utterance(start, end, scores=drawn, language=["de", "en"][draw.integers(2)]))
        segments[7] = out_of_it(1.75, 1.875, "rejected", "diarize.min_seconds", 0.125, 1.0)
        recordings[f"r{number}.wav"] = (noise(5.0, seed=number), 16_000, {"id": f"r{number}", "segments": segments})
    manifest = write_corpus(folder / "in", recordings)
    build(story_config("tokenize=null"), [str(manifest)], str(folder / "out"), make_stages=scripted_stages)
    return folder / "out"


@given(THRESHOLDS)
@settings(max_examples=settings.default.max_examples // 5)
def test_a_later_publish_pass_gives_what_was_promised(scored, thresholds):
    overrides = [f"{name}={value}" for name, value in thresholds.items()]
    promised = what_if(str(scored), overrides)
    build(story_config("tokenize=null", *overrides), [], str(scored), make_stages=scripted_stages)
    found, counts = {}, {}
    for row in rows(scored, "segments"):
        key = (row["status"], row["reason"] or "", row["language"] or "")
        found[key] = found.get(key, 0) + round(row["seconds"] * 16_000)
        counts[key] = counts.get(key, 0) + 1
    assert dict(promised.after) == found
    assert dict(promised.counts) == counts
    assert what_if(str(scored), overrides).before == promised.after


def test_seconds_by_verdict_and_language(story):
    found = what_if(str(story / "out"), ["consensus.max_pwer=0.16"]).to_json()
    assert found["kept_seconds"] == {"before": 11.5, "after": 12.0}
    lines = {(row["status"], row["reason"]): (row["before"], row["after"]) for row in found["verdicts"]}
    assert lines["kept", ""] == (11.5, 12.0)
    assert lines["rejected", "consensus.max_pwer"] == (0.5, 0.0)
    assert lines["failed", "tokenize"] == (0.5, 0.5)
    english = next(row for row in found["languages"] if row["language"] == "en")
    assert (english["kept_before"], english["kept_after"]) == (10.5, 11.0)


def test_a_corpus_without_the_column_of_a_score_is_not_judged_by_it(story, tmp_path):
    """Else every segment would fail, as if nobody had measured it."""
    out = shutil.copytree(story / "out", tmp_path / "out")
    for path in (out / "segments").iterdir():
        pq.write_table(pq.read_table(path).drop_columns("pwer"), path)
    with pytest.raises(ConfigError, match=r"column pwer, which consensus\.max_pwer needs: publish it again"):
        what_if(str(out), ["boundary.max_cut=0.4"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("denoise=null", "denoise is no threshold"),
        ("boundary=null", "boundary is no threshold"),
        ("diarize.min_seconds=0.1", "diarize.min_seconds is no threshold"),
        ("publish.audio=true", "publish.audio is no threshold"),
        ("consensus.max_pwr=0.1", "max_pwer"),
    ],
)
def test_only_thresholds_can_be_tried(override, message):
    with pytest.raises(ConfigError, match=message):
        changed_rules(story_config(), [override])
