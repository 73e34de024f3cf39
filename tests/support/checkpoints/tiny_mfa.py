"""A tiny acoustic model in MFA's format, written byte by byte: a low tone, a high tone and quiet are its phones.

Its densities are estimated from the tones themselves, so that words made of them align where they are.
"""

import json
import struct
import zipfile
from pathlib import Path

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.stages.punctuate.mfa.direct.features import cepstra, features
from curation.stages.punctuate.mfa.direct.metadata import POSITIONS, read_metadata

HERTZ = {"sil": 0, "spn": 0, "LO": 300, "HI": 2000}
SETTINGS = {"type": "mfcc", "use_energy": False, "snip_edges": False, "energy_floor": 0.0, "uses_cmvn": False}


def token(*names: str) -> bytes:
    return "".join(f"{name} " for name in names).encode()


def number(*values: int) -> bytes:
    return b"".join(b"\x04" + struct.pack("<i", value) for value in values)


def unsigned(value: int) -> bytes:
    return b"\xfc" + struct.pack("<I", value)


def real(value: float) -> bytes:
    return b"\x04" + struct.pack("<f", value)


def integers(values) -> bytes:
    return b"\x04" + struct.pack("<i", len(values)) + np.asarray(values, "<i4").tobytes()


def vector(values) -> bytes:
    return token("FV") + number(len(values)) + np.asarray(values, "<f4").tobytes()


def matrix(values) -> bytes:
    return token("FM") + number(*np.shape(values)) + np.asarray(values, "<f4").tobytes()


def tone(hertz: float, seconds: float, seed: int = 0) -> np.ndarray:
    """A tone in a little noise, float32."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    noise = np.random.default_rng(seed).normal(scale=0.001, size=len(time))
    return (0.3 * np.sin(2 * np.pi * hertz * time) * (hertz > 0) + noise).astype(np.float32)


def topology(phones) -> bytes:
    """Two states that last, one after the other, for each phone."""
    entry = number(3)
    for state in (0, 1):
        entry += number(state, 2, state) + real(0.5) + number(state + 1) + real(0.5)
    entry += number(-1, 0)
    entry_of = [-1, *([0] * len(phones))]
    return token("<Topology>") + integers(phones) + integers(entry_of) + number(1) + entry + token("</Topology>")


def transitions(phones, densities_of, *, stay: float = 0.9) -> bytes:
    """All states of all phones, each with each of its densities."""
    triples = sorted(
        (phone, state, density) for phone in phones for state in (0, 1) for density in densities_of(phone, state)
    )
    logs = [0.0] + [float(np.log(p)) for _ in triples for p in (stay, 1 - stay)]
    body = token("<TransitionModel>") + topology(phones) + token("<Triples>") + number(len(triples))
    body += b"".join(number(*triple) for triple in triples) + token("</Triples>", "<LogProbs>") + vector(logs)
    return body + token("</LogProbs>", "</TransitionModel>")


def mixtures(means, variance: float) -> bytes:
    """One Gaussian each, but the first density has two, of which one never wins."""
    body = token("<DIMENSION>") + number(np.shape(means)[1]) + token("<NUMPDFS>") + number(len(means))
    for index, mean in enumerate(means):
        rows = np.array([mean, mean + 1000] if index == 0 else [mean])
        precision = np.full(rows.shape, 1 / variance)
        body += token("<DiagGMM>", "<GCONSTS>") + vector(np.zeros(len(rows)))
        body += token("<WEIGHTS>") + vector(np.full(len(rows), 1 / len(rows)))
        body += token("<MEANS_INVVARS>") + matrix(rows * precision)
        body += token("<INV_VARS>") + matrix(precision) + token("</DiagGMM>")
    return body


def leaf(answer: int) -> bytes:
    return token("CE") + number(answer)


def tree(phones, density_of, *, special: int) -> bytes:
    """By phone, then by state; `special` asks for its left neighbour in its first state, with the same answer twice
    over: densities `n` and the last one.
    """
    branches = [token("NULL")]
    for phone in phones:
        states = [leaf(density_of(phone, state)) for state in (0, 1)]
        if phone == special:
            question = token("SE") + number(0) + integers([1]) + token("{")
            states[0] = question + states[0] + leaf(density_of(phone, 0) + 1000) + token("}")
        branches.append(token("TE") + number(-1) + unsigned(2) + token("(") + b"".join(states) + token(")"))
    body = token("TE") + number(1) + unsigned(len(branches)) + token("(") + b"".join(branches) + token(")")
    return token("ContextDependency") + number(3, 1) + token("ToPdf") + body + token("EndContextDependency")


def tiny_files(*, lda: bool = False, by_position: bool = False, **meta) -> dict[str, bytes]:
    """The files of a model; `meta` replaces parts of its metadata."""
    names = ["sil", "spn", "HI", "LO"]
    if by_position:
        names = [name + end for name in names for end in (("", *POSITIONS) if name in {"sil", "spn"} else POSITIONS)]
    numbers = {name: index for index, name in enumerate(names, start=1)}
    given = {
        "version": "3.0.0",
        "architecture": "gmm-hmm",
        "phones": ["HI", "LO"],
        "features": SETTINGS,
        "silence_probability": 0.5,
        "initial_silence_probability": 0.5,
        "dictionaries": {"position_dependent_phones": by_position},
        **meta,
    }
    files = {"meta.json": json.dumps(given).encode(), "tree": b"", "final.mdl": b""}
    if lda:
        reduce = np.zeros((13, 91), np.float32)
        reduce[np.arange(13), 3 * 13 + np.arange(13)] = 1  # the frame itself
        files["lda.mat"] = b"\0B" + matrix(reduce)
    return files | _model(files, numbers)


def _model(files, numbers) -> dict[str, bytes]:
    meta = read_metadata(files, "tiny")
    reduce = np.frombuffer(files["lda.mat"][-13 * 91 * 4 :], "<f4").reshape(13, 91) if meta.splice else None
    means = []
    for name in numbers:
        base = name.split("_", maxsplit=1)[0]
        wave = tone(HERTZ[base], 1.0)
        found = features([cepstra(wave, meta)], meta, reduce)[0].mean(axis=0)
        means.append(found + (100 if base == "spn" else 0))
    means.append(means[-1])  # what the question of the tree leads to as well
    special, last = max(numbers.values()), len(means) - 1

    def densities_of(phone, state):
        return [phone - 1, last] if (phone, state) == (special, 0) else [phone - 1]

    phones = sorted(numbers.values())
    asked = tree(phones, lambda phone, _: phone - 1, special=special)
    return {
        "final.mdl": b"\0B" + transitions(phones, densities_of) + mixtures(means, 4.0),
        "tree": b"\0B" + asked.replace(number(special - 1 + 1000), number(last)),
    }


def write_tiny(path: Path, files: dict[str, bytes]) -> Path:
    """The .zip, with its files in a folder as MFA's archives have them."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"tiny/{name}", content)
    return path
