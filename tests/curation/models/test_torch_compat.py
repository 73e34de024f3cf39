"""torchaudio next to a CPU build of torch, in a process of its own."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from curation.models.torch_compat import import_torchaudio
assert "torch" not in sys.modules
torchaudio = import_torchaudio()
assert import_torchaudio() is torchaudio
import torch
from torchaudio.functional import melscale_fbanks, resample
assert resample(torch.ones(1, 1600), 16000, 8000).shape == (1, 800)
assert melscale_fbanks(201, 0.0, 8000.0, 40, 16000).shape == (201, 40)
stand_in = not hasattr(sys.modules["torchaudio._extension"], "_load_lib")
assert stand_in is False or torch.version.cuda is None
"""


@pytest.mark.slow  # other tests import it too, in processes that have imported more
def test_import_in_a_fresh_process():
    subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], check=True, timeout=200)
