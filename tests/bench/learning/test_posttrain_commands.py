"""The phases of the benchmark on a handful of commands: that they fit together, not what comes out of them."""

import shutil

import pytest

from tests.bench.learning import command_corpus
from tests.bench.learning.learn_commands import curation
from tests.bench.learning.posttrain_commands import posttrain, report

PROGRAMS = ("espeak-ng", "flite", "festival")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"one of {', '.join(PROGRAMS)} is missing")
def test_from_a_trained_model_to_a_report(tmp_path, capfd):
    command_corpus.make(tmp_path / "corpus", command_corpus.Sizes(pairs=6, singles=6, test=2))
    curation("build", tmp_path / "corpus" / "train.jsonl", "-o", tmp_path / "build", "--set", "consensus.max_pwer=0.5")
    curation("train", tmp_path / "build", "-o", tmp_path / "runs" / "joint", "--set", "run.steps=2")
    posttrain(tmp_path, steps=1)
    report(tmp_path)
    table = [line for line in capfd.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[:3] for line in table[1:]] == [
        [f"| {name}", task, condition]
        for name in ("joint", "grpo")
        for task in ("asr", "tts", "vc")
        for condition in ("seen-voice", "unseen-voice")
    ]
    assert (tmp_path / "posttrain.png").stat().st_size > 1000
