"""Metadata of models, new and old, and the models that cannot be read directly."""

import json
import math

import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.metadata import read_metadata
from tests.support.checkpoints.tiny_mfa import tiny_files


def read(given, **files):
    return read_metadata({"meta.json": json.dumps(given).encode(), **files}, "model.zip")


def test_a_new_model_says_everything():
    meta = read_metadata(tiny_files(lda=True), "tiny")
    assert not meta.snip_edges
    assert meta.energy_floor == 0
    assert not meta.by_position
    assert meta.splice == (3, 3)
    assert meta.phones == {"<eps>": 0, "sil": 1, "spn": 2, "HI": 3, "LO": 4}


def test_an_old_model_says_little():
    """Version 1.0: meta.yaml, features in a word, phones by position, edges snipped."""
    meta = read_metadata({"meta.yaml": b"version: 1.0.0\nfeatures: mfcc+deltas\nphones: [HI, LO]\n"}, "model.zip")
    assert meta.snip_edges
    assert meta.by_position
    assert meta.splice is None
    assert (meta.silence, meta.unknown, meta.silence_probability) == ("sil", "spn", 0.5)
    assert [meta.phones[name] for name in ("sil", "sil_I", "spn", "HI_S", "HI_B", "LO_S")] == [1, 5, 6, 11, 12, 15]
    assert "HI" not in meta.phones
    assert read_metadata({}, "model.zip").by_position  # before there were metadata


def test_phones_by_position_are_the_default_until_version_2():
    assert read({"version": "1.1.0", "dictionaries": {}}).by_position
    assert not read({"version": "2.0.0", "dictionaries": {}}).by_position
    assert read({"version": "2.0.0"}).by_position
    assert not read({"version": "2.0.0", "position_dependent_phones": False}).by_position


def test_frames_may_follow_one_another_without_overlap():
    assert read({"version": "3.0.0", "features": {"frame_shift": 25, "frame_length": 25}}).frame_shift_ms == 25


def test_numbers_of_phones_are_the_stored_ones():
    given = {"version": "3.0.0", "phones": ["A"]}
    assert read(given, **{"phones.txt": b"<eps> 0\nsil 1\nspn 2\nA 9\n"}).phones["A"] == 9
    assert read({**given, "phone_mapping": {"A": 7}}, **{"phones.txt": b"A 9\n"}).phones == {"A": 7}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"features": {"use_pitch": True}}, "it uses pitch features"),
        ({"features": {"pitch": True}}, "it uses pitch features"),
        ({"architecture": "nnet3"}, "its architecture is nnet3"),
        ({"features": {"type": "fbank"}}, "its features are fbank"),
        ({"features": {"sample_frequency": 8000}}, "it hears 8000 Hz"),
    ],
)
def test_what_cannot_be_read_directly(given, reason):
    with pytest.raises(ModelError, match=f"{reason}.*set punctuate.mfa.run to memory or command"):
        read({"version": "3.0.0", **given})


@pytest.mark.parametrize(
    "given",
    [
        {"features": {"frame_shift": 0}},
        {"features": {"frame_shift": 30, "frame_length": 25}},
        {"features": {"num_coefficients": 30}},
        {"features": {"num_mel_bins": 10**9, "num_coefficients": 13}},
        {"features": {"low_frequency": 9000}},
        {"features": {"high_frequency": -8000}},
        {"features": {"preemphasis_coefficient": math.nan}},
        {"silence_probability": 1.5},
        {"initial_silence_probability": math.nan},
        {"final_silence_correction": -1},
        {"final_non_silence_correction": "little"},
    ],
)
def test_impossible_metadata_are_refused_before_anything_is_aligned(given):
    with pytest.raises(ModelError, match=r"the metadata of model\.zip cannot be used"):
        read(given)


def test_a_highest_frequency_may_count_from_the_top():
    assert read({"features": {"high_frequency": -200}}).high_hz == 7800


@pytest.mark.parametrize(
    "files",
    [
        {"meta.json": b"{"},
        {"meta.json": b"[]"},
        {"meta.yaml": b"a: !!python/object:os.system x"},
        {"meta.json": b"[" * 100_000},
        {"meta.json": b'{"silence_probability": "much"}'},
        {"meta.json": b'{"dictionaries": 3}'},
        {"meta.json": b'{"version": "3", "phone_mapping": [1]}'},
        {"phones.txt": b"A 1 2\n"},
        {"phones.txt": b"\xff\n"},
    ],
)
def test_damaged_metadata_are_named(files):
    with pytest.raises(ModelError, match=r"the metadata of model\.zip"):
        read_metadata(files, "model.zip")
