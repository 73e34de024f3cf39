"""Acoustic models: what is read, and what is said where a file is damaged or its parts do not fit."""

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import ModelError
from curation.stages.punctuate.mfa.direct.acoustic import AcousticModel, load_models
from curation.stages.punctuate.mfa.direct.archive import read_model
from tests.support.checkpoints.mfa_golden import GOLDEN
from tests.support.checkpoints.tiny_mfa import matrix, mixtures, number, tiny_files, token

TINY = tiny_files()


def test_the_golden_model():
    model = load_models(GOLDEN / "acoustic.zip")[0]
    assert len(model.mixtures) == 392
    assert model.mixtures.dimension == 40
    assert (model.tree.width, model.tree.central) == (3, 1)
    silence = model.meta.phones["sil"]
    assert [len(model.transitions.topologies[model.meta.phones[name]]) for name in ("sil", "spn", "AA")] == [5, 5, 3]
    assert model.silences == {1, 2}
    assert model.states(3, silence, 4).densities == model.states(7, silence, 0).densities  # silence has no neighbours
    assert model.number("AA") == 3
    assert model.number("NOTHING") is None


def test_the_model_without_adaptation_is_taken():
    files = {**TINY, "final.alimdl": TINY["final.mdl"], "final.mdl": b"not read"}
    assert len(AcousticModel(files, "tiny").mixtures) == len(AcousticModel(TINY, "tiny").mixtures)


def test_phones_by_position():
    model = AcousticModel(tiny_files(by_position=True), "tiny")
    phones = model.meta.phones
    assert [model.number("LO", index, 3) for index in range(3)] == [phones[name] for name in ("LO_B", "LO_I", "LO_E")]
    assert model.number("LO") == phones["LO_S"]
    assert phones["sil"] in model.silences
    assert phones["spn_S"] in model.silences


def test_the_tree_asks_for_neighbours():
    """The first state of the last phone has another density after phone 1."""
    model = AcousticModel(TINY, "tiny")
    last = len(model.mixtures) - 1
    assert model.states(1, 4, 2).densities == (3, 3)
    assert model.states(2, 4, 2).densities == (last, 3)


def test_costs_are_scaled_as_mfa_does():
    """Staying 0.9: a self-loop counts a tenth of its cost, leaving a tenth of -log 0.1."""
    costs = AcousticModel(TINY, "tiny").states(1, 3, 1).costs
    assert np.allclose(costs, [(-0.1 * np.log(0.9), -0.1 * np.log(0.1))] * 2, atol=1e-6)


def test_boosting_silence_changes_its_densities_alone():
    model = AcousticModel(TINY, "tiny")
    features = np.zeros((2, 39), np.float32)
    every = range(len(model.mixtures))
    before = model.mixtures.log_likelihoods(features, every)
    model.boost_silence(2.0)
    change = model.mixtures.log_likelihoods(features, every) - before
    assert np.allclose(change[:, [0, 1]], np.log(2), atol=0.01)
    assert not change[:, 2:].any()


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["final.mdl", "tree"]), st.data())
def test_a_damaged_file_never_raises_anything_else(name, data):
    """Cut short, or with bytes changed: a ModelError, or a model that can be used."""
    content = bytearray(TINY[name])
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(ModelError):
        model = AcousticModel({**TINY, name: bytes(content)}, "tiny.zip")
        for phone in model.transitions.topologies:
            model.states(0, phone, 1)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"final.mdl": b"<TransitionModel> "}, "final.mdl of tiny cannot be read: it is not in Kaldi's binary form"),
        ({"tree": TINY["tree"][:40]}, "tree of tiny cannot be read"),
        ({"tree": TINY["tree"].replace(token("ToPdf"), token("Other"))}, "expected ToPdf, found 'Other'"),
        ({"tree": TINY["tree"].replace(number(3, 1), number(5, 2), 1)}, "a window of 5 phones, 2 before"),
        ({"lda.mat": b"\0B" + matrix(np.zeros((13, 50)))}, "lda.mat takes 50 values, 7 frames have 91"),
        ({"lda.mat": b"\0B" + matrix(np.full((13, 91), np.nan))}, "lda.mat has values that are no numbers"),
        ({"lda.mat": b"\0B" + matrix(np.zeros((13, 91)))}, "features have 13 values a frame, its densities 39"),
    ],
)
def test_what_is_said(files, message):
    with pytest.raises(ModelError, match=message):
        AcousticModel({**TINY, **files}, "tiny")


def test_a_tree_of_another_model_is_refused():
    golden = read_model(GOLDEN / "acoustic.zip")
    model = AcousticModel({**TINY, "tree": golden["tree"]}, "tiny")
    with pytest.raises(ModelError, match="the tree and the transitions do not fit each other"):
        model.states(0, 4, 1)


def test_impossible_densities_are_refused():
    good = mixtures(np.zeros((5, 39)), 4.0)
    at = TINY["final.mdl"].index(token("<DIMENSION>"))
    for bad in (mixtures(np.zeros((5, 39)), -1.0), mixtures(np.full((5, 39), np.nan), 4.0), good[: len(good) // 2]):
        with pytest.raises(ModelError, match=r"final\.mdl of tiny cannot be read"):
            AcousticModel({**TINY, "final.mdl": TINY["final.mdl"][:at] + bad}, "tiny")


def test_a_model_needs_states_for_silence_and_noise():
    meta = {**json.loads(TINY["meta.json"]), "optional_silence_phone": "quiet"}
    files = {**TINY, "meta.json": json.dumps({**meta, "phone_mapping": {"quiet": 9, "spn": 2}}).encode()}
    with pytest.raises(ModelError, match="no states for the phone quiet"):
        AcousticModel(files, "tiny")
