"""Checkpoints made from the rule in tests/data/*/weights.json, in the layouts of the official releases."""

import json
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

DATA = Path(__file__).parents[1] / "data"


def make_tensors(table, file):
    tensors = {}
    for entry in table["checkpoints"][file]["tensors"]:
        seed = zlib.crc32((table["salt"] + entry["key"]).encode()) & 0xFFFFFFFF
        x = np.asarray(np.random.RandomState(seed).standard_normal(entry["shape"])).astype(np.float32)
        x = x * np.float32(entry["scale"]) + np.float32(entry["offset"])
        x = np.abs(x) if entry.get("abs") else x
        tensors[entry["key"]] = torch.from_numpy(np.asarray(x.astype(entry["dtype"])).reshape(entry["shape"]))
    return tensors


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def glm_tensors():
    return make_tensors(json.loads((DATA / "glm/weights.json").read_text()), 0)


@pytest.fixture(scope="session")
def write_glm(glm_tensors):
    """write_glm(folder, prefix="", config={}, **changed tensors) -> folder"""

    def write(folder, prefix="", config=(), drop=(), **changed):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATA / "glm/preprocessor_config.json", folder)
        merged = json.loads((DATA / "glm/config.json").read_text()) | dict(config)
        (folder / "config.json").write_text(json.dumps(merged))
        tensors = {key: value for key, value in (glm_tensors | changed).items() if key not in drop}
        save_file({prefix + key: value for key, value in tensors.items()}, folder / "model.safetensors")
        return folder

    return write


@pytest.fixture(scope="session")
def glm_folder(write_glm, tmp_path_factory):
    return write_glm(tmp_path_factory.mktemp("glm"))


@pytest.fixture(scope="session")
def glm(glm_folder):
    from curation.tokenize.official.glm import GlmTokenizer

    return GlmTokenizer(glm_folder)


@pytest.fixture(scope="session")
def glm_cases():
    return load_cases(DATA / "glm/cases.npz")


def load_cases(path):
    """{case: {array: value}}; arrays outside cases are under the first part of their name."""
    cases = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            case, _, name = key.partition("/")
            cases.setdefault(case, {})[name] = arrays[key]
    return cases


def write_weights(path, tensors, prefix=""):
    tensors = {prefix + key: value for key, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)


@pytest.fixture(scope="session")
def bicodec_tensors():
    table = json.loads((DATA / "bicodec/weights.json").read_text())
    return make_tensors(table, 0), make_tensors(table, 1)


@pytest.fixture(scope="session")
def write_bicodec(bicodec_tensors):
    """write_bicodec(folder, layout, wav2vec2_file, drop=keys, changed={key: tensor}) -> folder"""

    def write(folder, layout="spark", wav2vec2_file="pytorch_model.bin", drop=(), changed=()):
        codec, wav2vec2 = (dict(tensors) for tensors in bicodec_tensors)
        for key, value in dict(changed).items():
            (wav2vec2 if key.startswith("wav2vec2.") else codec)[key] = value
        for key in drop:
            (wav2vec2 if key.startswith("wav2vec2.") else codec).pop(key)
        home = folder / "BiCodec" if layout == "gpa" else folder
        shutil.copytree(DATA / "bicodec/wav2vec2-large-xlsr-53", home / "wav2vec2-large-xlsr-53")
        write_weights(home / "wav2vec2-large-xlsr-53" / wav2vec2_file, wav2vec2)
        write_weights(folder / "BiCodec/model.safetensors", codec)
        own, settings = ((DATA / "bicodec" / name).read_text() for name in ("BiCodec/config.yaml", "config.yaml"))
        (folder / "BiCodec/config.yaml").write_text(own + settings if layout == "gpa" else own)
        if layout == "spark":
            (folder / "config.yaml").write_text(settings)
        return folder

    return write


@pytest.fixture(scope="session")
def bicodec_folder(write_bicodec, tmp_path_factory):
    return write_bicodec(tmp_path_factory.mktemp("bicodec"))


@pytest.fixture(scope="session")
def bicodec(bicodec_folder):
    from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer

    return BiCodecTokenizer(bicodec_folder)


@pytest.fixture(scope="session")
def bicodec_cases():
    return load_cases(DATA / "bicodec/cases.npz")
