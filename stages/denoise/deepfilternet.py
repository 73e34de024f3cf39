"""DeepFilterNet 3 (Schröter et al., "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement", 2023).

Runs its authors' ONNX export, `DeepFilterNet3_onnx.tar.gz`: an encoder, a decoder of gains for ERB bands, and a decoder
of complex filters over five frames for the lower bins. Signal processing around them: deepfilternet_features.py.
"""

import configparser
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.declarations import Resources
from curation.core.errors import ModelError
from curation.models.store import resolve
from curation.stages.denoise.base import Denoiser
from curation.stages.denoise.deepfilternet_features import Floats, Settings, analyse, features, filtered, synthesise

ARCHIVE = "DeepFilterNet3_onnx.tar.gz"
MEMBERS = ("enc.onnx", "erb_dec.onnx", "df_dec.onnx", "config.ini")
MAX_MEMBER_BYTES = 2**30
CHUNK, WARM_UP = 1500, 500
"""Frames of 10 ms per call of the networks, and context frames before them. The export gives no access to the state
of its recurrent layers, and five minutes at once would take gigabytes."""


class DeepFilterNet(Denoiser):
    """The released model, or any export with the same interface."""

    kind = "deepfilternet3"
    models = ("deepfilternet3",)
    resources = Resources(memory_gib=0.5)

    def __init__(self, model: str = "deepfilternet3", *, threads: int = 1) -> None:
        self.model = model
        self.threads = threads

    def load(self) -> None:
        """Read the archive. Raises ModelError where it is missing or another file."""
        import scipy.signal  # noqa: F401 - what features need; not in the time of the first recording

        path = resolve(self.model)
        path = path / ARCHIVE if path.is_dir() else path
        try:
            members = read_members(path)
            self.settings = Settings.read(members["config.ini"].decode())
            self._encoder, self._gains, self._filters = (self._session(members[name]) for name in MEMBERS[:3])
        except (KeyError, ValueError, configparser.Error, tarfile.TarError, OSError, RuntimeError) as error:
            msg = f"{path} is not an ONNX export of DeepFilterNet: {error}"
            raise ModelError(msg) from error

    def denoise(self, wave: Wave) -> Wave:
        """(samples,) float32 at 16 kHz -> the same shape, aligned."""
        import soxr

        if not len(wave):
            return wave.copy()
        rate = self.settings.sr
        enhanced = self.enhance(soxr.resample(wave, SAMPLE_RATE, rate, quality="VHQ"))
        narrow = soxr.resample(enhanced, rate, SAMPLE_RATE, quality="VHQ")[: len(wave)]
        return np.pad(narrow, (0, len(wave) - len(narrow))).astype(np.float32, copy=False)

    def enhance(self, wave: Wave) -> Wave:
        """(samples,) float32 at the model's rate -> the same shape, aligned."""
        spectrum = analyse(wave, self.settings)
        levels, low = features(spectrum, self.settings)
        enhanced = np.empty_like(spectrum)
        for begin in range(0, len(spectrum), CHUNK):
            seen = slice(max(0, begin - WARM_UP), begin + CHUNK)
            gains, filters = self._run(levels[:, :, seen], low[:, :, seen])
            skip = begin - seen.start
            enhanced[begin : begin + CHUNK] = filtered(spectrum, gains[skip:], filters[skip:], begin, self.settings)
        return synthesise(enhanced, len(wave), self.settings)

    def _run(self, levels: Floats, low: Floats) -> tuple[Floats, Floats]:
        """Gains (time, bands) and filters (time, bins, 2 · order)."""
        names = ["e0", "e1", "e2", "e3", "emb", "c0"]
        found = self._encoder.run(names, {"feat_erb": levels, "feat_spec": low})
        code: dict[str, Floats] = dict(zip(names, found, strict=True))
        (gains,) = self._gains.run(["m"], {name: code[name] for name in ("emb", "e3", "e2", "e1", "e0")})
        (filters,) = self._filters.run(["coefs"], {name: code[name] for name in ("emb", "c0")})
        return gains[0, 0], filters[0]

    def _session(self, graph: bytes) -> Any:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # it warns about unused initialisers in the export
        try:
            return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf) as error:
            raise ValueError(str(error)) from error


def read_members(path: Path) -> dict[str, bytes]:
    """The four files of the archive, wherever in it they are; nothing is written to disk.

    Raises ValueError where one is missing or too large.
    """
    found = {}
    with tarfile.open(path) as archive:
        for item in archive:
            name = PurePosixPath(item.name).name
            if name in MEMBERS and item.isfile() and item.size <= MAX_MEMBER_BYTES:
                file = archive.extractfile(item)
                found[name] = file.read() if file else b""
    if lacking := [name for name in MEMBERS if name not in found]:
        msg = f"it lacks {', '.join(lacking)}"
        raise ValueError(msg)
    return found
