"""Canary and Parakeet adapters on tiny models of their own classes, saved as `.nemo` and read back (`nemo_file.py`)."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.core.errors import ModelError
from curation.manifests.records import Recording, Segment, Source
from curation.models.store import sha256_of
from curation.stages.base import run_stage
from curation.stages.transcribe.nemo.adapter import NemoConfig
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig
from tests.support.real_speech import librivox

pytest.importorskip("nemo", reason="needs NeMo: pip install 'curation[nemo]'")

from tests.support.checkpoints.tiny_nemo import save_canary, save_parakeet

WAVES = [*librivox()[:3], librivox()[1][:6000]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("nemo")


@pytest.fixture(scope="module")
def parakeet_file(folder) -> Path:
    return save_parakeet(folder / "parakeet.nemo")


@pytest.fixture(scope="module")
def canary_file(folder) -> Path:
    return save_canary(folder / "canary.nemo")


def loaded(path: Path, **settings):
    system = build_system(NemoConfig(name=path.stem, model=f"path:{path}", **settings))
    system.load()
    return system


@pytest.fixture(scope="module")
def parakeet(parakeet_file):
    return loaded(parakeet_file, languages=["en", "fr"])


@pytest.fixture(scope="module")
def canary(canary_file):
    return loaded(canary_file)


def test_parakeet_gives_word_times_and_confidences(parakeet):
    for wave, heard in zip(WAVES, parakeet.transcribe(WAVES, ["en"] * len(WAVES)), strict=True):
        assert heard.text == " ".join(word.text for word in heard.words)
        assert 0 < heard.confidence <= 1
        assert all(0 < word.confidence <= 1 for word in heard.words)
        times = [time for word in heard.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert times[0] >= 0
        assert times[-1] <= len(wave)
        assert times[-1] > 0.9 * len(wave)  # the tiny model never stops talking


def test_canary_is_told_the_language(canary):
    english, german, again = canary.transcribe([WAVES[0]] * 3, ["en", "de", "en"])
    assert english.text
    assert english.text != german.text
    assert english == again
    assert (english.language, german.language) == ("en", "de")
    assert 0 < english.confidence <= 1


def test_canary_speaks_the_languages_that_have_a_prompt_token(canary):
    assert canary.languages == {"en", "de", "fr"}  # <|zh|> is in the file, but not in the list of trained languages
    with pytest.raises(ValueError, match="does not speak"):
        canary.transcribe(WAVES[:1], ["es"])


def prompt_of(system, language: str) -> str:
    """What Canary is given before it writes, as NeMo's own formatter puts it together."""
    slots = system._prompt | {"source_lang": language, "target_lang": language}
    ids = system._model.prompt.encode_dialog(turns=[{"role": "user", "slots": slots}])["context_ids"]
    return "".join(system._model.tokenizer.ids_to_tokens(ids.tolist())).replace("\u2581", "")


def test_the_prompts_of_both_generations(canary, folder):
    first = loaded(save_canary(folder / "canary-1b.nemo", prompt_format="canary"))
    assert prompt_of(first, "de") == "<|startoftranscript|><|de|><|transcribe|><|de|><|pnc|>"
    assert prompt_of(canary, "fr") == (
        "<|startofcontext|><|startoftranscript|><|emo:undefined|><|fr|><|fr|><|pnc|><|noitn|><|notimestamp|><|nodiarize|>"
    )
    english, german = first.transcribe([WAVES[0]] * 2, ["en", "de"])
    assert english.confidence != german.confidence


@pytest.mark.parametrize("name", ["parakeet", "canary"])
def test_batch_does_not_matter(name, request):
    system = request.getfixturevalue(name)
    languages = ["en", "fr", "en", "fr"]
    together = system.transcribe(WAVES, languages)
    assert together == [system.transcribe([w], [code])[0] for w, code in zip(WAVES, languages, strict=True)]
    assert len({heard.text for heard in together}) > 1


def test_the_stage_runs_both(parakeet_file, canary_file):
    systems = [
        {"kind": "nemo", "name": path.stem, "model": f"path:{path}", "batch_size": 2}
        for path in (parakeet_file, canary_file)
    ]
    stage = Transcribe(TranscribeConfig(systems=systems, language_system=""))
    stage.setup()
    segments = [Segment(80000, 80000 + len(WAVES[0]), audio=WAVES[0])]
    item = Recording(Source("r", "r.wav", language="en"), num_samples=400000, segments=segments)
    run_stage(stage, [item])
    first, second = item.segments[0].hypotheses
    assert not first.error
    assert not second.error
    assert first.words[0].start >= 80000


def test_a_folder_with_one_file_will_do(parakeet_file, tmp_path):
    (tmp_path / "hub").mkdir()
    shutil.copy(parakeet_file, tmp_path / "hub")
    assert loaded(tmp_path / "hub").transcribe(WAVES[:1], ["en"])[0].text
    with pytest.raises(ModelError, match=r"expected one \.nemo file, found 0"):
        loaded(tmp_path)


class Payload:
    """What an attacker's checkpoint would hold: reading it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


def with_member(source: Path, target: Path, name: str, data: bytes) -> Path:
    """A copy of a tar in which one member is another."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            if member.name != name:
                new.addfile(member, old.extractfile(member))
        added = tarfile.TarInfo(name)
        added.size = len(data)
        new.addfile(added, io.BytesIO(data))
    return target


@pytest.fixture
def poisoned(parakeet_file, tmp_path):
    data = io.BytesIO()
    torch.save({"state": Payload(tmp_path / "ran")}, data)
    return with_member(parakeet_file, tmp_path / "evil.nemo", "./model_weights.ckpt", data.getvalue())


def test_a_pickle_is_refused_and_does_not_run(poisoned, tmp_path):
    with pytest.raises(ModelError, match="could run any code") as refused:
        loaded(poisoned)
    assert "transcribe.systems evil.allow_pickle" in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_a_wrong_pin_stops_before_anything_is_read(poisoned, tmp_path):
    with pytest.raises(ModelError, match=r"transcribe\.systems evil\.sha256 pins 00"):
        loaded(poisoned, sha256="0" * 64)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("how", ["pinned", "allowed"])
def test_the_user_can_trust_a_pickle(poisoned, tmp_path, how):
    trust = {"sha256": sha256_of(poisoned)} if how == "pinned" else {"allow_pickle": True}
    with pytest.raises(Exception, match="state_dict"):  # its weights do not fit: but it was read
        loaded(poisoned, **trust)
    assert (tmp_path / "ran").is_dir()


def test_a_pinned_file_loads(parakeet_file):
    assert loaded(parakeet_file, sha256=sha256_of(parakeet_file)).transcribe(WAVES[:1], ["en"])[0].text


def test_members_that_lead_elsewhere_are_refused(parakeet_file, tmp_path):
    with pytest.raises(ModelError, match="outside its folder"):
        loaded(with_member(parakeet_file, tmp_path / "a.nemo", "../evil.txt", b"x"))
    with tarfile.open(tmp_path / "b.nemo", "w") as tar:
        link = tarfile.TarInfo("model_weights.ckpt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
        tar.addfile(link)
    with pytest.raises(ModelError, match="is a link"):
        loaded(tmp_path / "b.nemo")
    (tmp_path / "c.nemo").write_bytes(b"not a tar")
    with pytest.raises(ModelError, match=r"no \.nemo file"):
        loaded(tmp_path / "c.nemo")


def test_a_configuration_cannot_name_foreign_classes(parakeet_file, tmp_path):
    with tarfile.open(parakeet_file) as tar:
        text = tar.extractfile("./model_config.yaml").read().decode()
    wrong = text.replace("nemo.collections.asr.modules.ConformerEncoder", "subprocess.Popen")
    assert wrong != text
    with pytest.raises(ValueError, match="unsafe target"):
        loaded(with_member(parakeet_file, tmp_path / "d.nemo", "./model_config.yaml", wrong.encode()))


def test_silence_is_no_error(parakeet, canary):
    for system in (parakeet, canary):
        (heard,) = system.transcribe([np.zeros(100, np.float32)], ["en"])
        assert not heard.error
        assert all(word.end <= 100 for word in heard.words)
