"""One thread, as in the tests of training; two clips to run a model on."""

import numpy as np
import pytest
import soundfile
import torch

from curation.audio.wave import SAMPLE_RATE
from tests.support.real_speech import librivox


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Two clips at other rates and formats."""
    folder = tmp_path_factory.mktemp("clips")
    soundfile.write(folder / "a.wav", librivox()[0][:24_000], SAMPLE_RATE)
    soundfile.write(folder / "b.ogg", np.stack([librivox()[1][:40_000]] * 2, axis=1), 22_050)
    return folder
