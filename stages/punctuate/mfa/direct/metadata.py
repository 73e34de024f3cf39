"""What an acoustic model says about itself: features, phones, probabilities of silence.

Source: kalpy 0.10.5, models.py (`_load_meta_data`, `mfcc_options`, `parse_old_features`). Models before 2.0 have
meta.yaml, and leave much of it out.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from curation.core.errors import ModelError

POSITIONS = ("_S", "_B", "_E", "_I")
"""Suffixes of position-dependent phones: alone in a word, at its beginning, at its end, inside."""
FIRST_VERSION = "0.9.0"
NYQUIST = 8000.0
MAX_BINS = 1000


@dataclass(frozen=True, slots=True)
class Metadata:
    """The part of meta.json that alignment needs."""

    frame_shift_ms: float
    frame_length_ms: float
    low_hz: float
    high_hz: float
    mel_bins: int
    coefficients: int
    lifter: float
    preemphasis: float
    use_energy: bool
    raw_energy: bool
    energy_floor: float
    snip_edges: bool
    cmvn: bool
    splice: tuple[int, int] | None
    """Frames before and after that are joined, then reduced by lda.mat; None: deltas."""
    silence: str
    """The phone between words."""
    unknown: str
    """The phone of words outside the dictionary."""
    by_position: bool
    silence_probability: float
    initial_silence_probability: float
    final_silence_correction: float | None
    final_non_silence_correction: float | None
    phones: Mapping[str, int]
    """Phone -> its number in the model."""


def read_metadata(files: Mapping[str, bytes], name: str) -> Metadata:
    """The metadata in the files of a model, `name` for messages. Raises ModelError where it cannot be used here."""
    given = _given(files, name)
    try:
        return _metadata(given, files, name)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        msg = f"the metadata of {name} cannot be used ({type(error).__name__}: {error})"
        raise ModelError(msg) from error


def _given(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        if "meta.json" in files:
            given = json.loads(files["meta.json"])
        else:
            given = yaml.safe_load(files.get("meta.yaml", b"{version: 0.9.0}"))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        msg = f"the metadata of {name} cannot be read ({error})"
        raise ModelError(msg) from error
    if not isinstance(given, dict):
        msg = f"the metadata of {name} is not a mapping"
        raise ModelError(msg)
    return given


def _metadata(given: dict[str, Any], files: Mapping[str, bytes], name: str) -> Metadata:
    features = given.get("features", {})
    features = features if isinstance(features, dict) else {}  # "mfcc+deltas" of the first versions
    _refuse(given, features, name)
    silence, unknown = str(given.get("optional_silence_phone", "sil")), str(given.get("oov_phone", "spn"))
    by_position = _by_position(given)
    splices = "lda.mat" in files
    high = float(features.get("high_frequency", 7800))
    meta = Metadata(
        frame_shift_ms=float(features.get("frame_shift", 10)),
        frame_length_ms=float(features.get("frame_length", 25)),
        low_hz=float(features.get("low_frequency", 20)),
        high_hz=high if high > 0 else NYQUIST + high,
        mel_bins=int(features.get("num_mel_bins", 23)),
        coefficients=int(features.get("num_coefficients", 13)),
        lifter=float(features.get("cepstral_lifter", 22)),
        preemphasis=float(features.get("preemphasis_coefficient", 0.97)),
        use_energy=bool(features.get("use_energy", False)),
        raw_energy=bool(features.get("raw_energy", True)),
        energy_floor=float(features.get("energy_floor", 1.0)),
        snip_edges=bool(features.get("snip_edges", True)),
        cmvn=bool(features.get("uses_cmvn", True)),
        splice=(int(features.get("splice_left_context", 3)), int(features.get("splice_right_context", 3)))
        if splices
        else None,
        silence=silence,
        unknown=unknown,
        by_position=by_position,
        silence_probability=float(given.get("silence_probability", 0.5)),
        initial_silence_probability=float(given.get("initial_silence_probability", 0.5)),
        final_silence_correction=_optional(given.get("final_silence_correction")),
        final_non_silence_correction=_optional(given.get("final_non_silence_correction")),
        phones=_phones(given, files, [silence, unknown], by_position=by_position),
    )
    for problem in _impossible(meta):
        raise ValueError(problem)
    return meta


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _impossible(meta: Metadata) -> Iterator[str]:
    """What no model can have; the features would fail, or be no numbers."""
    if not 1 <= meta.frame_shift_ms <= meta.frame_length_ms <= 1000:
        yield f"frames of {meta.frame_length_ms} ms every {meta.frame_shift_ms} ms"
    if not (2 < meta.mel_bins <= MAX_BINS and 0 < meta.coefficients <= meta.mel_bins):
        yield f"{meta.coefficients} coefficients of {meta.mel_bins} mel bins"
    if not 0 <= meta.low_hz < meta.high_hz <= NYQUIST:
        yield f"mel bins from {meta.low_hz} to {meta.high_hz} Hz"
    if not (math.isfinite(meta.preemphasis) and math.isfinite(meta.lifter) and math.isfinite(meta.energy_floor)):
        yield "features that are no numbers"
    if meta.splice and not all(0 <= side <= MAX_BINS for side in meta.splice):
        yield f"{meta.splice} neighbours of a frame"
    if not all(0 <= each <= 1 for each in (meta.silence_probability, meta.initial_silence_probability)):
        yield f"a probability of silence of {meta.silence_probability} or {meta.initial_silence_probability}"
    corrections = (meta.final_silence_correction, meta.final_non_silence_correction)
    if not all(each is None or 0 <= each < math.inf for each in corrections):
        yield f"corrections of silence of {corrections}"


def _refuse(given: dict[str, Any], features: dict[str, Any], name: str) -> None:
    """Say what this reader cannot do, before anything goes wrong quietly."""
    architecture = given.get("architecture", "gmm-hmm")
    kind = features.get("type", features.get("feature_type", "mfcc"))
    rate = features.get("sample_frequency", 16000)
    problem = ""
    if features.get("use_pitch") or features.get("pitch"):
        problem = "it uses pitch features"
    elif architecture != "gmm-hmm":
        problem = f"its architecture is {architecture}"
    elif kind != "mfcc":
        problem = f"its features are {kind}"
    elif rate != 16000:
        problem = f"it hears {rate} Hz, not 16000"
    if problem:
        msg = f"{name} cannot be read directly: {problem}; set punctuate.mfa.run to memory or command"
        raise ModelError(msg)


def _by_position(given: dict[str, Any]) -> bool:
    old = str(given.get("version", FIRST_VERSION)) < "2.0"
    if "dictionaries" not in given:
        return bool(given.get("position_dependent_phones", True))
    default = given.get("position_dependent_phones", old)
    return bool(given["dictionaries"].get("position_dependent_phones", default))


def _phones(
    given: dict[str, Any], files: Mapping[str, bytes], first: list[str], *, by_position: bool
) -> dict[str, int]:
    """Numbers of the phones: as stored, else in the order in which MFA numbers them."""
    if mapping := given.get("phone_mapping"):
        return {str(phone): int(number) for phone, number in mapping.items()}
    if "phones.txt" in files:
        lines = [line.split() for line in files["phones.txt"].decode("utf-8").splitlines() if line.strip()]
        return {phone: int(number) for phone, number in lines}
    others = sorted(str(phone) for phone in given.get("phones", []) if phone not in first)
    names = ["<eps>"]
    for phone in [*first, *others]:
        own = [phone] if phone in first or not by_position else []
        names += [*own, *(phone + position for position in POSITIONS if by_position)]
    return {name: number for number, name in enumerate(names)}
