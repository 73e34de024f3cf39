"""The demo recordings."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curation.audio.cuts import cut_probabilities
from curation.core.errors import DataError
from curation.demo import recordings as demo
from curation.stages.boundary import BoundaryConfig

pytestmark = pytest.mark.skipif(not demo.LIBRIVOX.is_dir(), reason="needs apt-get install pocketsphinx-testdata")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("demo") / "new" / "folder"
    demo.write_demo_recordings(made)
    return made


def test_twelve_recordings_and_their_manifest(folder):
    lines = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    assert len(lines) == 12
    assert {line["path"] for line in lines} == {path.name for path in folder.glob("*.wav")}
    assert all(line["note"] and line["licence"] and line["language"] == "en" for line in lines)
    assert sum(line["path"].startswith("derived_") for line in lines) == 3


def test_the_same_bytes_every_time(folder, tmp_path):
    def digests(paths):
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]

    assert digests(demo.write_demo_recordings(tmp_path)) == digests(demo.write_demo_recordings(folder))


def test_both_ends_of_the_cut_recording_are_cut(folder):
    wave, _ = soundfile.read(folder / "derived_cut_mid_word.wav", dtype="float32")
    assert min(cut_probabilities(wave)) > BoundaryConfig().max_cut


def test_noise_has_the_ratio_that_is_stated(folder):
    clean, _ = soundfile.read(folder / "librivox_0870.wav")
    mixed, _ = soundfile.read(folder / "derived_noise_mixed_in.wav")
    gain = np.dot(mixed, clean) / np.dot(clean, clean)
    noise = mixed - gain * clean
    assert 10 * np.log10(np.sum((gain * clean) ** 2) / np.sum(noise**2)) == pytest.approx(demo.SNR_DB, abs=0.2)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "LIBRIVOX", Path("/nowhere"))
    with pytest.raises(DataError, match="apt-get install pocketsphinx-testdata"):
        demo.write_demo_recordings(tmp_path)
