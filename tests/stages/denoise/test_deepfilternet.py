"""DeepFilterNet 3 with its released weights, against the authors' own runtime; its features
(`deepfilternet_features.py`); and exports that are none.
"""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soxr

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.stages.denoise import deepfilternet
from curation.stages.denoise.deepfilternet import MEMBERS, DeepFilterNet, read_members
from curation.stages.denoise.deepfilternet_features import Settings, analyse, filtered, synthesise
from tests.support.dummies import mix, noise, speech

GOLDEN = Path(__file__).parents[2] / "data" / "deepfilternet" / "runtime.npz"
RATE = 48_000


@pytest.fixture(scope="module")
def model():
    made = DeepFilterNet()
    made.load()
    return made


@pytest.fixture(scope="module")
def noisy():
    wave = mix(speech(12.0), noise(12.0), 5.0)
    return soxr.resample((wave * 0.6 / np.abs(wave).max()).astype(np.float32), SAMPLE_RATE, RATE, quality="VHQ")


def distance(wave, other) -> float:
    return float(np.sqrt(np.mean((wave - other) ** 2) / np.mean(other**2)))


def test_output_is_that_of_the_authors_runtime(model, noisy):
    """The runtime is a stream and starts with another state; after ten seconds that is forgotten."""
    with np.load(GOLDEN) as arrays:
        expected = arrays["second_10"].astype(np.float32)
    assert distance(model.enhance(noisy)[10 * RATE : 11 * RATE], expected) < 5e-3


def test_long_audio_in_chunks_is_close_to_all_at_once(model, noisy, monkeypatch):
    whole = model.enhance(noisy)
    monkeypatch.setattr(deepfilternet, "CHUNK", 600)
    assert distance(model.enhance(noisy), whole) < 0.02


def test_analysis_and_synthesis_give_the_wave_back(model):
    wave = np.random.default_rng(0).standard_normal(48_123).astype(np.float32)
    again = synthesise(analyse(wave, model.settings), len(wave), model.settings)
    np.testing.assert_allclose(again, wave, atol=1e-5)


def test_a_filter_that_takes_one_frame_shifts_by_it(model):
    """Tap `order - 1 - look-ahead` is the frame itself, the one before it the frame before."""
    given = model.settings
    spectrum = analyse(np.random.default_rng(0).standard_normal(9600).astype(np.float32), given)
    for tap in range(given.df_order):
        filters = np.zeros((len(spectrum), given.nb_df, given.df_order, 2), np.float32)
        filters[:, :, tap, 0] = 1
        gains = np.ones((len(spectrum), given.nb_erb), np.float32)
        out = filtered(spectrum, gains, filters.reshape(len(spectrum), given.nb_df, -1), 0, given)
        shift = tap - (given.df_order - 1 - given.df_lookahead)
        middle = slice(4, len(spectrum) - 4)
        np.testing.assert_allclose(
            out[middle, : given.nb_df], np.roll(spectrum, -shift, axis=0)[middle, : given.nb_df], atol=1e-7
        )
        np.testing.assert_allclose(out[:, given.nb_df :], spectrum[:, given.nb_df :], atol=1e-7)


def test_bands_are_those_of_libdf(model):
    # libdf.DF(48000, 960, 480, 32, 2).erb_widths() of DeepFilterLib 0.5.6
    expected = [2] * 13 + [5, 5, 7, 7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31, 37, 42, 50, 56, 67]
    assert model.settings.erb_widths().tolist() == expected
    assert model.settings.alpha == 0.99


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as out:
        for name, content in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            out.addfile(item, io.BytesIO(content))
    return path


def test_archives_that_are_none_are_named(tmp_path):
    real = read_members(resolve("deepfilternet3") / "DeepFilterNet3_onnx.tar.gz")
    broken = [
        {name: real[name] for name in MEMBERS[1:]},
        {**real, "config.ini": b"[df]\nsr=1"},
        {**real, "config.ini": real["config.ini"].replace(b"hop_size = 480", b"hop_size = 240")},
        {**real, "enc.onnx": b"nothing"},
    ]
    for number, members in enumerate(broken):
        path = archive(tmp_path / f"{number}.tar.gz", members)
        with pytest.raises(ModelError, match=f"{number}.tar.gz is not an ONNX export"):
            DeepFilterNet(f"path:{path}").load()


def test_nothing_is_extracted_and_links_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = archive(tmp_path / "a.tar.gz", {f"../../{name}": name.encode() for name in MEMBERS})
    assert read_members(path)["enc.onnx"] == b"enc.onnx"
    assert list(tmp_path.iterdir()) == [path]
    with tarfile.open(tmp_path / "b.tar", "w") as out:
        for name in MEMBERS:
            item = tarfile.TarInfo(name)
            item.type, item.linkname = tarfile.SYMTYPE, "/etc/passwd"
            out.addfile(item)
    with pytest.raises(ValueError, match="lacks"):
        read_members(tmp_path / "b.tar")


def test_settings_need_every_field():
    with pytest.raises(KeyError):
        Settings.read("[df]\nsr = 48000\n[deepfilternet]\nconv_lookahead = 2\n")
