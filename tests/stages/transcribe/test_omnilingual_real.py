"""The Omnilingual worker against the real package, in its real environment, on a random model.

Skipped where that environment was not made: `curation models environment omnilingual` (several GB), then
`pytest -m slow tests/stages/transcribe/test_omnilingual_real.py`. The model is a wav2vec2 CTC one of fairseq2's base
size, behind an asset card as the published ones have.
"""

import subprocess
from pathlib import Path

import pytest
import sentencepiece

from curation.models.environments import folder_of, is_ready, python_of
from curation.stages.transcribe.omnilingual import ENVIRONMENT, OmnilingualConfig
from curation.stages.transcribe.registry import build_system
from tests.support.real_speech import librivox

FOLDER = folder_of(ENVIRONMENT.name, ENVIRONMENT.requirements)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_ready(FOLDER), reason="curation models environment omnilingual was not run"),
]

SAVE_MODEL = """
import sys, torch
from fairseq2.models.wav2vec2.asr import Wav2Vec2AsrConfig, create_wav2vec2_asr_model
torch.manual_seed(2)
model = create_wav2vec2_asr_model(Wav2Vec2AsrConfig())
torch.nn.init.normal_(model.final_proj.weight, std=1.0)
torch.save({"model": model.state_dict()}, sys.argv[1])
"""
CARD = """
name: tiny_omni_tokenizer
tokenizer_family: char_tokenizer
tokenizer: file://{folder}/tokenizer.model
---
name: tiny_omni
model_family: wav2vec2_asr
model_arch: base_10h
checkpoint: file://{folder}/model.pt
tokenizer_ref: tiny_omni_tokenizer
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    folder = tmp_path_factory.mktemp("omni")
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the quick brown fox jumps over lazy dogs, cats; and 1 pig!"] * 3),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=32,
        model_type="char",
        character_coverage=1.0,
        bos_id=0,
        pad_id=1,
        eos_id=2,
        unk_id=3,
        minloglevel=2,
    )
    subprocess.run([python_of(FOLDER), "-I", "-c", SAVE_MODEL, folder / "model.pt"], check=True)
    Path(folder / "cards.yaml").write_text(CARD.format(folder=folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAIRSEQ2_USER_ASSET_DIR", str(folder))
        made = build_system(OmnilingualConfig(model="tiny_omni", batch_size=2))
        made.load()
    return made


def test_the_real_pipeline_answers(system):
    waves = librivox()[:3]
    heard = system.transcribe(waves, ["en", "de", "en"])
    assert [item.language for item in heard] == ["en", "de", "en"]
    assert any(item.text for item in heard)
    assert heard == system.transcribe(waves, ["en", "de", "en"])
