"""Transcripts of the manifest, checked by what systems heard: the score, what is published, and a whole build."""

import copy
import json

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.manifests.records import Recording, Segment, Source
from curation.pipeline.config import BuildConfig, label_settings, load_config
from curation.pipeline.run import build
from curation.stages.base import run_stage
from curation.stages.consensus.reference import reference_scores
from curation.stages.consensus.stage import Consensus, ConsensusConfig
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.stage import Diarize
from curation.text.normalize import normalizer_for
from tests.support.agreement import hypotheses
from tests.support.builds import rows
from tests.support.real_speech import LIBRIVOX, librivox, recording
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus

WORDS = st.lists(st.sampled_from(["river", "stone", "apple", "green", "walk"]), min_size=1, max_size=8).map(" ".join)
HEARD = st.lists(WORDS | st.just(""), min_size=1, max_size=4)
MANIFEST = "consensus.reference=manifest"


def scores(transcript, texts, language="en", **options):
    return reference_scores(transcript, hypotheses(texts, language=language, **options), normalizer_for(language))


@given(WORDS, HEARD)
def test_the_rate_is_that_of_the_reference_implementation_and_the_least_counts(transcript, texts):
    found = scores(transcript, texts)
    expected = [jiwer.wer(transcript, text) for text in texts]
    assert [found[f"reference.wer.s{place}"] for place in range(len(texts))] == pytest.approx(expected, abs=1e-4)
    assert found["reference.wer"] == pytest.approx(min(expected))


@given(WORDS, HEARD, WORDS)
def test_another_system_never_makes_a_transcript_worse(transcript, texts, more):
    assert scores(transcript, [*texts, more])["reference.wer"] <= scores(transcript, texts)["reference.wer"]


@given(WORDS, HEARD)
def test_case_and_marks_do_not_count(transcript, texts):
    written = f"“{transcript.title().replace(' ', ', ')}!”"
    assert scores(written, [text.upper() + " …" for text in texts]) == scores(transcript, texts)


@pytest.mark.parametrize(
    ("transcript", "heard", "language", "rate"),
    [
        ("We didn't pay $2.5 million.", "we did not pay two and a half million dollars", "en", 0.0),
        ("今天天氣很好。", "今天天气很坏", "zh", 1 / 6),
        ("Das ist gut, oder?", "das ist gut", "de", 1 / 4),
        ("", "something", "en", 1.0),
        ("— …", "", "en", 0.0),
    ],
)
def test_the_unit_is_that_of_the_language(transcript, heard, language, rate):
    assert scores(transcript, [heard], language)["reference.wer"] == pytest.approx(rate)


def test_nobody_who_heard_it_leaves_it_unmeasured():
    assert scores("so it is", []) == {}


def published(transcript, texts, **settings):
    segment = Segment(0, 16_000, language="en", hypotheses=hypotheses(texts))
    row = Recording(Source("r", "r.wav", transcript=transcript), num_samples=16_000, segments=[segment])
    run_stage(Consensus(ConsensusConfig(**settings)), [row])
    return segment


def test_the_text_is_the_manifests_and_the_agreement_is_the_systems():
    heard = ["mister fox it is late", "mr fox it is late", "mr. fox is late"]
    mine, theirs = published("“Mr. Fox”: it's LATE!", heard, reference="manifest"), published("no", heard)
    assert mine.text == "“Mr. Fox”: it's LATE!"
    assert mine.notes["consensus.reference"] == "manifest"
    assert mine.scores["reference.wer"] == 0
    assert mine.scores["text.words"] == 5
    for name in ("pwer", "confidence", "confidence.calibrated", "consensus.outlier"):
        assert mine.scores[name] == theirs.scores[name]
    assert not [name for name in (*theirs.scores, *theirs.notes) if "reference" in name]


def test_a_build_that_checks_keeps_recordings_whole_and_others_are_labelled_as_ever():
    assert load_config(overrides=[MANIFEST]).diarize.whole
    assert not load_config().diarize.whole
    assert "whole" not in label_settings(load_config())["diarize"]
    assert "reference" not in label_settings(load_config())["consensus"]
    config = load_config(overrides=[MANIFEST])
    assert BuildConfig.model_validate(config.model_dump(mode="json")) == config


def checking_stages(config):
    return [*scripted_stages(config), Consensus(config.consensus)]


@pytest.fixture
def checked(tmp_path):
    """A build of three transcripts: right, nearly right, and another's."""
    said = "The river is green, and the stone is grey."
    heard = [("a", "the river is green and the stone is gray"), ("b", "a liver is clean and a stone is gray")]
    given_ = {"right": said, "near": "The river was green, and the stone is blue.", "other": "Nobody walks to school."}
    inputs = {
        f"{name}.wav": (
            noise(4.0 + number),
            16_000,
            {"id": name, "language": "en", "transcript": text, "segments": [utterance(0.5, 3.5, heard=heard)]},
        )
        for number, (name, text) in enumerate(given_.items())
    }
    manifest = write_corpus(tmp_path / "in", inputs)

    def run(*overrides):
        config = load_config(overrides=[MANIFEST, "tokenize=null", "engine.runtime=in-process", *overrides])
        build(config, [str(manifest)], str(tmp_path / "out"), make_stages=checking_stages)
        found = {row["recording_id"]: row for row in rows(tmp_path / "out", "segments")}
        return {name: (row["status"], row["reason"]) for name, row in found.items()}, found

    return run


def test_right_transcripts_are_kept_as_written_and_the_threshold_may_move(checked):
    wrong = ("rejected", "consensus.max_reference_wer")
    verdicts, found = checked()
    assert verdicts == {"right": ("kept", None), "near": ("kept", None), "other": wrong}
    assert found["right"]["text"] == "The river is green, and the stone is grey."
    assert found["near"]["reference_wer"] == pytest.approx(2 / 9)
    verdicts, _ = checked("consensus.max_reference_wer=0.2")
    assert verdicts == {"right": ("kept", None), "near": wrong, "other": wrong}
    verdicts, _ = checked("consensus.max_reference_wer=9", "consensus.max_pwer=0.01", "consensus.min_confidence=1")
    assert set(verdicts.values()) == {("kept", None)}  # the systems' own agreement does not count


def test_default_models_confirm_what_was_read(diarizer, transcriber, punctuator):
    """A sentence with its own text, and with that of another."""
    stage = Diarize(DiarizeConfig(whole=True))
    stage.encoder, stage.diarizer = diarizer.encoder, diarizer.diarizer
    texts = [LIBRIVOX[number].with_suffix(".lab").read_text().strip().capitalize() + "?!" for number in (1, 4)]
    heard = recording(librivox()[1])
    heard.source.transcript, heard.source.language = texts[0], "en"
    run_stage(stage, [heard])
    run_stage(transcriber, [heard])
    swapped = copy.deepcopy(heard)
    swapped.source.transcript = texts[1]
    run_stage(Consensus(ConsensusConfig(reference="manifest")), [heard, swapped])
    run_stage(punctuator, [heard, swapped])
    (right,), (wrong,) = heard.live_segments, swapped.live_segments
    assert [right.text, wrong.text] == texts
    assert right.scores["reference.wer"] < 0.2
    assert wrong.scores["reference.wer"] > 0.7
    assert [word.text.strip("?!") for word in right.words] == right.text.strip("?!").split()
    assert right.edits == []


@pytest.mark.slow
def test_the_command_checks_transcripts(tmp_path):
    from tests.support.commands import curation

    texts = [path.with_suffix(".lab").read_text().strip().title() for path in LIBRIVOX]
    given_ = [texts[0], texts[2], texts[1], texts[3], ""]
    manifest = tmp_path / "m.jsonl"
    lines = [{"path": str(path), "transcript": text} for path, text in zip(LIBRIVOX, given_, strict=True)]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    settings = [f"--set={item}" for item in (MANIFEST, "engine.runtime=in-process")]
    curation("build", manifest, "-o", tmp_path / "out", *settings)
    found = {row["path"]: (row["status"], row["reason"], row["text"]) for row in rows(tmp_path / "out", "segments")}
    wrong = ("rejected", "consensus.max_reference_wer")
    assert found == {
        str(LIBRIVOX[0]): ("kept", None, texts[0]),
        str(LIBRIVOX[1]): (*wrong, texts[2]),
        str(LIBRIVOX[2]): (*wrong, texts[1]),
        str(LIBRIVOX[3]): ("kept", None, texts[3]),
        str(LIBRIVOX[4]): ("rejected", "consensus.reference", None),
    }
