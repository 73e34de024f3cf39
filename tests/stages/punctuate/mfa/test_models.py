"""Models of Montreal Forced Aligner: archives, pins, and what is said where something is missing."""

import hashlib
import zipfile

import numpy as np
import pytest

from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.pipeline.config import load_config
from curation.preflight.doctor import examine
from curation.stages.punctuate.mfa.adapter import MontrealForcedAligner
from curation.stages.punctuate.mfa.models import INSTALL, MfaConfig, dictionary_file, model_folder
from tests.support.checkpoints.mfa_golden import GOLDEN, MODELS, loaded, without_mfa
from tests.support.checkpoints.tiny_mfa import tiny_files, tone, write_tiny


def test_the_golden_model_is_unpacked_once_and_flat(store):
    folder = model_folder(MODELS["acoustic_model"])
    assert {"final.mdl", "final.alimdl", "lda.mat", "tree", "meta.json"} <= {path.name for path in folder.iterdir()}
    before = (folder / "meta.json").stat().st_mtime_ns
    assert model_folder(MODELS["acoustic_model"]) == folder
    assert (folder / "meta.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["../evil", "/evil", "a\\..\\evil"])
def test_no_archive_leads_out_of_its_folder(store, tmp_path, name):
    path = tmp_path / "model.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "x")
        archive.writestr("final.mdl", "y")
    folder = model_folder(f"path:{path}")
    assert sorted(item.name for item in folder.iterdir()) == ["evil", "final.mdl"]
    assert not (tmp_path / "evil").exists()


def test_an_archive_that_is_none_is_named(store, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match=r"model\.zip is not a model"):
        model_folder(f"path:{tmp_path / 'model.zip'}")
    assert not list((store / "mfa").rglob("final.mdl"))


@without_mfa
def test_without_mfa_the_error_says_what_to_do():
    with pytest.raises(ModelError, match="which pip does not install") as caught:
        loaded()
    assert INSTALL in str(caught.value)


def test_resolving_with_a_pin(tmp_path):
    path = GOLDEN / "dictionary.dict"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert resolve(f"path:{path}#sha256={digest}") == path
    with pytest.raises(ModelError, match="SHA-256"):
        resolve(f"path:{path}#sha256={'0' * 64}")


PAPER = {"preset": "paper"}


@without_mfa
def test_doctor_names_mfa_where_it_runs(store):
    run = load_config(**PAPER, overrides=["punctuate.mfa.run=memory", "punctuate.mfa.g2p=path:g2p.zip"])
    found = {check.what: check for check in examine(run, str(store))}
    check = found["Montreal Forced Aligner"]
    assert not check.ok
    assert INSTALL in check.remedy
    assert "pocketsphinx takes its place" in check.remedy
    for config in (load_config(**PAPER), load_config()):
        assert "Montreal Forced Aligner" not in {check.what for check in examine(config, str(store))}


def test_doctor_names_its_models_with_the_commands(store, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = {check.what: check for check in examine(load_config(**PAPER), str(store))}
    remedies = [check.remedy for what, check in found.items() if "pretrained_models" in what]
    assert sorted(remedies) == [
        f"mfa model download {kind} english_us_arpa, or docs/how-to/mfa.md" for kind in ("acoustic", "dictionary")
    ]


def test_doctor_says_of_a_model_that_it_cannot_be_read(store, tmp_path):
    """Pitch features, a dictionary that is none; nothing where all is well or not here yet."""

    def said(acoustic, dictionary):
        models = [f"punctuate.mfa.acoustic_model=path:{acoustic}", f"punctuate.mfa.dictionary=path:{dictionary}"]
        config = load_config(**PAPER, overrides=models)
        found = {check.what: check for check in examine(config, str(store))}
        return found.get("models of Montreal Forced Aligner")

    acoustic, dictionary = GOLDEN / "acoustic.zip", GOLDEN / "dictionary.dict"
    assert said(acoustic, dictionary) is None
    assert said(tmp_path / "not-here.zip", dictionary) is None
    files = {**tiny_files(), "meta.json": b'{"version": "2.0.6", "features": {"use_pitch": true}}'}
    pitch = said(write_tiny(tmp_path / "pitch.zip", files), dictionary)
    assert "pitch.zip cannot be read directly: it uses pitch features" in pitch.found
    assert "pocketsphinx takes its place" in pitch.remedy
    (tmp_path / "empty.dict").write_text("")
    assert "empty.dict is empty" in said(acoustic, tmp_path / "empty.dict").found


def test_a_repository_of_a_hub_has_both(store, tmp_path):
    """Folders acoustic and dictionary, as MFA lays them out."""
    write_tiny(tmp_path / "tiny.zip", files := tiny_files())
    for folder, contents in (("acoustic", files), ("dictionary", {"english.dict": b"lo LO\n"})):
        (tmp_path / "repository" / folder).mkdir(parents=True)
        for name, content in contents.items():
            (tmp_path / "repository" / folder / name).write_bytes(content)
    both = f"path:{tmp_path / 'repository'}"
    aligner = MontrealForcedAligner(MfaConfig(acoustic_model=both, dictionary=both))
    aligner.load()
    wave = np.concatenate([tone(0, 0.3), tone(300, 0.3), tone(0, 0.3)])
    assert aligner.align(wave, ["lo"], "en")
    (tmp_path / "repository/dictionary/british.dict").write_text("lo LO\n")
    with pytest.raises(ModelError, match=r"has several, name one .*british\.dict, english\.dict"):
        dictionary_file(both)
