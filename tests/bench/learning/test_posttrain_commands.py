"""The phases of the benchmark on a handful of commands: that they fit together, not what comes out of them."""

import shutil

import pytest

from tests.bench.learning.posttrain_commands import Sizes, make, plan, posttrain, report, train

FEW = Sizes(train=36, test=4, fitted=36, fit_steps=2, steps=2, posttrain_steps=1)


def test_no_command_of_the_test_is_trained_on():
    planned = [one for one, _ in plan(Sizes())]
    parts = [{one.transcript for one in planned if one.condition == part} for part in ("test", "train")]
    assert [len(part) for part in parts] == [96, 1200]
    assert not parts[0] & parts[1]


def test_each_command_of_training_is_spoken_by_two_voices():
    speakers = {}
    for one, _ in plan(Sizes()):
        speakers.setdefault((one.condition, one.transcript), set()).add(one.speaker)
    assert {(part, len(names)) for (part, _), names in speakers.items()} == {("test", 1), ("train", 2)}


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not (shutil.which("espeak-ng") and shutil.which("flite")), reason="espeak-ng or flite is missing")
def test_from_commands_to_a_report(tmp_path, capfd):
    for phase in (make, train, posttrain, report):
        phase(tmp_path, FEW)
    table = [line for line in capfd.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[:2] for line in table[1:]] == [
        [f"| {name}", task] for name in ("base", "grpo") for task in ("asr", "tts", "vc")
    ]
    assert (tmp_path / "posttrain.png").stat().st_size > 1000
