"""How commands open a model and choose its sampling."""

import numpy as np
import pytest

from curation.cli.checkpoints import check_device, open_model, sampling_of
from curation.core.errors import ConfigError
from curation.train.infer.preparation import Preparation, scaled
from curation.train.infer.sampling import Sampling
from tests.support.commands import curation, message
from tests.support.real_speech import librivox


@pytest.mark.parametrize("penalty", [None, 1.5])
def test_the_model_has_its_own_penalty_unless_one_is_given(model, penalty):
    chosen = sampling_of(0.5, 0.9, penalty, 7)(model)
    assert chosen == Sampling(0.5, 0.9, penalty or model.sampling.repetition_penalty, 7)


@pytest.mark.parametrize(
    "options", [["--top-p", 0], ["--top-p", 1.1], ["--repetition-penalty", 0], ["--temperature", -1]]
)
@pytest.mark.parametrize("command", ["speak", "convert", "evaluate"])
def test_wrong_sampling_is_refused_before_anything_is_opened(command, options, tmp_path):
    """Neither the checkpoint nor the test set is there, and no word is said of them."""
    clip = str(tmp_path / "v.wav")
    arguments = {
        "speak": ["speak", tmp_path / "none", "Hello.", "--voice", clip, "-o", tmp_path / "x.wav"],
        "convert": ["convert", tmp_path / "none", clip, "--voice", clip, "-o", tmp_path / "x.wav"],
        "evaluate": ["evaluate", tmp_path / "none.jsonl", "-m", tmp_path / "none"],
    }[command]
    told = message(curation(*arguments, *options, code=2))
    assert options[0].removeprefix("--").replace("-", "_") in told.replace("-", "_")
    assert "none" not in told


def test_recordings_are_prepared_as_asked(checkpoint):
    assert isinstance(open_model(checkpoint, "cpu", prepare=True).tokenizers.prepare, Preparation)
    assert open_model(checkpoint, "cpu", prepare=False).tokenizers.prepare is scaled


def test_raw_and_prepared_recordings_are_different_voices(checkpoint):
    """Of a noisy recording: a clean one is used as it is."""
    noise = np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    wave = librivox()[0][:16_000] + 0.1 * noise
    raw, prepared = (open_model(checkpoint, "cpu", prepare=prepare).voice(wave) for prepare in (False, True))
    assert not np.array_equal(raw, prepared)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_named(device):
    check_device("cpu")
    with pytest.raises(ConfigError, match=f"--device {device}: not available.*use cpu"):
        check_device(device)
