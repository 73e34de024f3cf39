"""Checkpoints with random weights, opened once."""

import pytest
import torch

from tests.support.checkpoints.speech import write_checkpoint


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="session")
def model(checkpoint):
    from curation.train.infer.speech_model import SpeechModel

    return SpeechModel.open(checkpoint)
