"""The report of an evaluation: how it was made, by which groups, and every utterance in files."""

import json

import pyarrow.parquet as pq
import pytest
import soundfile

from curation.train.evaluate.report import report, write_report, write_speech
from curation.train.evaluate.run import Judges, evaluate
from curation.train.infer.sampling import Sampling
from tests.train.evaluate.parrot import FirstSample, Parrot, WrittenSpeech, written


@pytest.mark.parametrize("task", ["tts", "vc"])
def test_speech_is_sampled_as_asked_for_and_the_report_says_how(clips, task):
    judges, system = Judges(WrittenSpeech(), FirstSample()), Parrot(recordings={"ja": written("ja")})
    asked = Sampling(temperature=0.5, repetition_penalty=1.1, seed=3)
    items = clips[2:3] if task == "tts" else clips
    results = list(evaluate(items, [task], system, judges, sampling=asked))
    assert system.samplings == {asked}
    assert task == "vc" or system.languages == [item.language for item in items]
    about = report(results, judges, sampling=asked).about["sampling"]
    assert about == "temperature 0.5, top-p 1, repetition penalty 1.1, seed 3"


def test_groups_of_the_manifest(clips):
    results = list(evaluate(clips, ["asr"], Parrot(["one two three", "x", "ja", "你好"]), Judges()))
    found = {(row.language, row.group["room"]): row.utterances for row in report(results, Judges(), ["room"]).rows}
    assert found == {("en", "A"): 2, ("de", "B"): 1, ("zh", "B"): 1}
    assert len(report(results, Judges(), ["speaker"]).rows) == 4


def test_results_are_written_in_both_formats(clips, tmp_path):
    judges = Judges(WrittenSpeech(), FirstSample())
    spoken = {"ja": written("ja")}
    results = list(evaluate(clips[2:3], ["tts"], Parrot(recordings=spoken), judges))
    summary = report(results, judges)
    write_report(tmp_path / "out", results, summary)
    write_speech(tmp_path / "out", results[0])
    lines = (tmp_path / "out" / "utterances.jsonl").read_text().splitlines()
    assert pq.read_table(tmp_path / "out" / "utterances.parquet").to_pylist() == [json.loads(line) for line in lines]
    assert json.loads(lines[0])["normalized_hypothesis"] == "ja"
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["about"]["recogniser"] == "written"
    assert len(soundfile.read(tmp_path / "out" / "tts" / "u2.wav")[0]) == 2
