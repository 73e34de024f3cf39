"""What a .nemo file may do: no pickles that were not trusted, no members outside, no foreign classes."""

import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest
import torch

from curation.core.errors import ModelError
from curation.models.store import sha256_of
from curation.stages.transcribe.nemo.adapter import NemoConfig
from curation.stages.transcribe.registry import build_system
from tests.support.real_speech import librivox

pytest.importorskip("nemo", reason="needs NeMo: pip install 'curation[nemo]'")

WAVES = librivox()


def loaded(path: Path, **settings):
    system = build_system(NemoConfig(name=path.stem, model=f"path:{path}", **settings))
    system.load()
    return system


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
    with pytest.raises(ModelError, match=r"not a \.nemo file"):
        loaded(tmp_path / "c.nemo")


def test_a_configuration_cannot_name_foreign_classes(parakeet_file, tmp_path):
    with tarfile.open(parakeet_file) as tar:
        text = tar.extractfile("./model_config.yaml").read().decode()
    wrong = text.replace("nemo.collections.asr.modules.ConformerEncoder", "subprocess.Popen")
    assert wrong != text
    with pytest.raises(ValueError, match="unsafe target"):
        loaded(with_member(parakeet_file, tmp_path / "d.nemo", "./model_config.yaml", wrong.encode()))
