"""The speaker encoder against Resemblyzer's own code, and as pyannote uses it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from curation.models.store import resolve
from curation.stages.diarize.pyannote.adapter import prepare_import
from tests.support.real_speech import SAMPLE, TWO_CITIES, wave

prepare_import()

import torch  # noqa: E402 - after torchaudio was made importable

from curation.stages.diarize.pyannote.speaker_encoder import GE2E  # noqa: E402

REFERENCE = Path(__file__).parents[3] / "data" / "ge2e" / "resemblyzer.npz"
WEIGHTS = "ge2e-speaker-encoder"


@pytest.fixture(scope="module")
def encoder() -> GE2E:
    torch.set_num_threads(1)
    return GE2E.load(resolve(WEIGHTS) / "pretrained.pt")


def tensor(reference: str, start: float, seconds: float) -> torch.Tensor:
    first = round(start * 16_000)
    return torch.from_numpy(wave(reference)[first : first + round(seconds * 16_000)])


@torch.inference_mode()
def test_same_numbers_as_resemblyzer(encoder):
    reference = np.load(REFERENCE)
    speech, _ = soundfile.read(resolve(SAMPLE), dtype="float32")
    cases = zip(reference["cases"], reference["gains"], strict=True)
    waves = [torch.from_numpy(speech[start : start + length] * gain) for (start, length), gain in cases]
    embeddings = encoder.embed(waves).numpy()
    np.testing.assert_allclose(embeddings, reference["embeddings"], atol=5e-6)


@torch.inference_mode()
def test_batch_of_masked_windows_equals_the_marked_speech_alone(encoder):
    window = tensor(TWO_CITIES, 4, 5)
    mask = torch.zeros(2, 500)
    mask[0, 100:300] = 1
    mask[1, 5:8] = 1
    marked, too_little = encoder(window[None, None].repeat(2, 1, 1), weights=mask)
    alone = encoder.embed([tensor(TWO_CITIES, 5, 2)])[0]
    assert float(marked @ alone) > 0.99  # frames at the edges see their neighbours
    assert torch.isnan(too_little).all()


@torch.inference_mode()
def test_embedding_does_not_depend_on_its_batch(encoder):
    waves = [tensor(TWO_CITIES, start, seconds) for start, seconds in ((2, 3), (9, 1.2), (20, 7))]
    together = encoder.embed(waves)
    for one, w in zip(together, waves, strict=True):
        torch.testing.assert_close(one, encoder.embed([w])[0], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_speakers_are_distinguished_at_any_level(encoder):
    reader, again, other = encoder.embed(
        [tensor(TWO_CITIES, 2, 6), tensor(TWO_CITIES, 30, 6) * 0.01, tensor(SAMPLE, 22, 5)]
    )
    assert float(reader @ again) > 0.85
    assert float(reader @ other) < 0.75


def test_too_short_a_window_is_refused(encoder):
    with pytest.raises(ValueError, match=r"0\.4 s"):
        encoder(torch.zeros(1, 1, 6399))
