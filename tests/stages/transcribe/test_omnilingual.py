"""The Omnilingual adapter, and `stages/transcribe/workers/omnilingual.py` in its process: languages, order, errors.

The model behind it is a stand-in.

The stand-in packages are written into a real environment that has nothing else; `ASRInferencePipeline` has the
signatures of omnilingual-asr 0.2.0 and answers what it was given.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.manifests.records import Recording, Segment, Source
from curation.models.environments import ensure
from curation.stages.base import run_stage
from curation.stages.transcribe.omnilingual import OmnilingualConfig
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig

PIPELINE = """
class ASRInferencePipeline:
    def __init__(self, model_card, *, model=None, tokenizer=None, device=None, dtype=None, beam_search_config=None):
        if model_card != "omniASR_LLM_7B_v2":
            raise KeyError(f"no asset card {model_card}")
        self.about = f"{device} {dtype}"

    def transcribe(self, inp, *, lang=None, batch_size=2):
        if any(len(item["waveform"]) == 31000 for item in inp):
            raise RuntimeError("cannot hear this one")
        return [
            f"{len(item['waveform'])} samples at {item['sample_rate']} in {code}, {self.about}, {batch_size} at once"
            for item, code in zip(inp, lang)
        ]
"""
STAND_INS = {
    "torch.py": "float32, bfloat16 = 'float32', 'bfloat16'\n",
    "numpy.py": "float32 = 'f'\n\ndef array(values, dtype):\n    return list(values)\n",
    "omnilingual_asr/__init__.py": "",
    "omnilingual_asr/models/__init__.py": "",
    "omnilingual_asr/models/inference/__init__.py": "",
    "omnilingual_asr/models/inference/pipeline.py": PIPELINE,
}
WAVES = [np.zeros(16000, np.float32), np.zeros(20000, np.float32)]


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CURATION_MODELS", str(tmp_path_factory.mktemp("store")))
        made = ensure("stand-in", [])
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([made, "-c", code], capture_output=True, text=True, check=True)
    for name, text in STAND_INS.items():
        path = Path(done.stdout.strip()) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return made


def test_texts_with_their_languages(python):
    system = build_system(OmnilingualConfig(python=str(python), batch_size=4))
    system.load()
    first, second = system.transcribe(WAVES, ["en", "zh"])
    assert first.text == "16000 samples at 16000 in eng_Latn, cpu float32, 4 at once"
    assert second.text == "20000 samples at 16000 in cmn_Hans, cpu float32, 4 at once"
    assert (second.system, second.language, second.confidence) == ("omnilingual", "zh", None)
    assert {"sw", "yue", "cy"} <= system.languages
    with pytest.raises(ValueError, match="no code for"):
        system.transcribe(WAVES[:1], ["xx"])
    with pytest.raises(ValueError, match="40 s at most"):
        system.transcribe([np.zeros(41 * 16000, np.float32)], ["en"])


def test_one_utterance_that_fails_does_not_cost_its_batch(python):
    section = OmnilingualConfig(python=str(python), batch_size=4)
    stage = Transcribe(TranscribeConfig(systems=[section], language_system=""))
    stage.setup()
    lengths = [16000, 31000, 24000]
    starts = [0, 100000, 200000]
    segments = [
        Segment(at, at + length, audio=np.zeros(length, np.float32)) for at, length in zip(starts, lengths, strict=True)
    ]
    row = Recording(Source("r", "r.wav", language="en"), num_samples=300000, segments=segments)
    run_stage(stage, [row])
    errors = [segment.hypotheses[0].error for segment in row.segments]
    assert errors[0] == errors[2] == ""
    assert "cannot hear this one" in errors[1]
    assert row.segments[1].verdict.status == "failed"
    assert row.verdict is None


def test_a_model_that_is_not_there_is_named(python):
    system = build_system(OmnilingualConfig(python=str(python), model="omniASR_LLM_9B"))
    with pytest.raises(ModelError, match="no asset card omniASR_LLM_9B"):
        system.load()
