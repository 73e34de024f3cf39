"""A small corpus of real speech, built once through the command line with real models; builds that can be killed."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.manifests import plan
from tests.support.commands import curation
from tests.support.faults.killing import KillingFileSystem
from tests.support.real_speech import librivox

SETTINGS = """
engine: {runtime: in-process}
decode: {max_span_seconds: 8, span_search_seconds: 3}
denoise: null
transcribe:
  language_system: ''
  systems:
    - {name: moonshine-tiny, kind: moonshine, model: moonshine-tiny.en}
    - {name: whisper-tiny.en, kind: whisper, model: whisper-tiny.en}
"""


@dataclass(frozen=True)
class Corpus:
    """A build that ended with exit code 0: its inputs, its settings, its folder and what the command printed."""

    manifest: Path
    settings: Path
    out: Path
    stdout: str
    stderr: str

    def copied(self, folder: Path) -> Path:
        """A copy of the build to be changed."""
        return Path(shutil.copytree(self.out, folder / "out"))


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    first, second, third = librivox()[:3]
    pause = np.zeros(SAMPLE_RATE, np.float32)
    # One reader: two spans of a recording, and a recording of one sentence.
    for name, wave in (("two", np.concatenate([first, pause, third])), ("one", second)):
        soundfile.write(folder / f"{name}.wav", wave, SAMPLE_RATE)
    rows = [{"path": f"{name}.wav", "language": "en"} for name in ("two", "one")]
    manifest, settings = folder / "manifest.jsonl", folder / "settings.yaml"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings.write_text(SETTINGS)
    built = curation("build", manifest, "-o", folder / "out", "-c", settings, "--json")
    return Corpus(manifest, settings, folder / "out", built.stdout, built.stderr)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """One of a single layer: a step takes half as long."""
    from tests.support.checkpoints.speech import write_checkpoint

    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), num_hidden_layers=1, seed=1)


@pytest.fixture(scope="session")
def model(checkpoint):
    from curation.train.infer.speech_model import SpeechModel

    return SpeechModel.open(checkpoint)


@pytest.fixture(scope="module")
def short_speech():
    """A model with random weights speaks until it may not go on: let that be after a second or two for a few words."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("curation.train.infer.speech_model.TOKENS_PER_SECOND", 15)
        yield


@pytest.fixture
def small_tasks(monkeypatch):
    """A task for each unit and file, a lock that is taken at once, and a file system that lives again afterwards."""
    monkeypatch.setattr("curation.pipeline.guard.lock.SETTLE_SECONDS", 0.0)
    monkeypatch.setattr(plan, "UNITS_PER_PART", 1)
    monkeypatch.setattr("curation.pipeline.publish.FILES_PER_TASK", 1)
    yield
    KillingFileSystem.arm(None)
