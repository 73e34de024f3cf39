"""The training demo: on a corpus of three utterances, a few steps long."""

import pytest
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import DataError
from curation.demo import training
from tests.support.builds import rows


def test_the_longest_utterance_below_the_limit_is_shown(corpus, monkeypatch):
    seconds = {row["id"]: row["seconds"] for row in rows(corpus.out, "shards")}
    row, wave = training.training_utterance(str(corpus.out))
    assert row["id"] == max((name for name in seconds if seconds[name] <= training.MAX_SECONDS), key=seconds.get)
    assert len(wave) / SAMPLE_RATE == pytest.approx(seconds[row["id"]], abs=1e-3)
    shortest = min(seconds, key=seconds.get)
    monkeypatch.setattr(training, "MAX_SECONDS", seconds[shortest] + 0.01)
    assert training.training_utterance(str(corpus.out))[0]["id"] == shortest
    monkeypatch.setattr(training, "MAX_SECONDS", 0.1)
    with pytest.raises(DataError, match=r"no kept utterance is shorter than 0\.1 s"):
        training.training_utterance(str(corpus.out))


@pytest.fixture(scope="module")
def few_steps(short_speech):
    """The settings of the demo, but three steps, and a short utterance to show."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "OVERRIDES", ("run.steps=3", *training.OVERRIDES[1:], "run.threads=1"))
        patch.setattr(training, "MAX_SECONDS", 3.5)
        yield


def test_train_then_transcribe_and_speak(corpus, few_steps, tmp_path, capsys):
    run = tmp_path / "run"
    checkpoint = training.train(str(corpus.out), run)
    assert checkpoint.is_relative_to(run)
    assert training.train(str(corpus.out), run) == checkpoint  # nothing is left to do
    capsys.readouterr()
    training.show(str(corpus.out), checkpoint, run)
    told = capsys.readouterr().out
    row, wave = training.training_utterance(str(corpus.out))
    assert f"its text               {row['text']}\n" in told
    assert "spoken, Whisper hears" in told
    recording, rate = soundfile.read(run / "recording.wav", dtype="float32")
    assert (rate, len(recording)) == (SAMPLE_RATE, len(wave))
    assert len(soundfile.read(run / "spoken.wav")[0]) > 0
