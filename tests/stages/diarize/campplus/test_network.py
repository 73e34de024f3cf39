"""CAM++ against the class of its authors."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from curation.models.store import resolve
from curation.stages.diarize.campplus.encoder import filter_banks
from curation.stages.diarize.campplus.network import CamPlusPlus
from tests.support.real_speech import SAMPLE

REFERENCE = Path(__file__).parents[3] / "data" / "campplus" / "reference.npz"


def test_same_numbers_as_3d_speaker():
    torch.set_num_threads(1)
    network = CamPlusPlus.load(resolve("campplus") / "campplus_cn_en_common.pt")
    reference = np.load(REFERENCE)
    speech, _ = soundfile.read(resolve(SAMPLE), dtype="float32")
    for (start, length), expected in zip(reference["cases"], reference["embeddings"], strict=True):
        mel = filter_banks(speech[start : start + length])
        with torch.inference_mode():
            (found,) = network((mel - mel.mean(dim=0))[None]).numpy()
        np.testing.assert_allclose(found / np.linalg.norm(found), expected, atol=2e-6)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"head.conv1.weight": torch.zeros(32, 1, 3, 3)}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError, match="Missing key"):
        CamPlusPlus.load(tmp_path / "other.pt")
