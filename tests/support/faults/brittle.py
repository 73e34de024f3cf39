"""A plug-in tokenizer without models that kills its process, or hangs, on utterances of certain lengths."""

from pathlib import Path

import pytest

from tests.support.plug_in import write_installed

CRASHES, HANGS, RAISES = 0.375, 0.4375, 0.3125
"""Seconds of an utterance that does so."""
OVERRIDES = ("tokenize.glm=brittle", "tokenize.bicodec=brittle")
CODE = """
import ctypes
import time

import numpy as np

from curation.core.declarations import Resources
from curation.tokenize.adapters.base import TokenizerKind
from curation.tokenize.base import CodecTokens


class Content:
    name, fingerprint, codebook_size = "brittle", "b" * 64, 7

    def num_tokens(self, samples):
        return samples // 1280

    def encode(self, waves):
        for wave in waves:
            if len(wave) == 6000:
                ctypes.string_at(0)
            if len(wave) == 7000:
                time.sleep(3600)
            if len(wave) == 5000:
                raise RuntimeError("asked to")
        return [np.arange(len(wave) // 1280, dtype=np.int32) % 7 for wave in waves]


class Codec:
    name, fingerprint, semantic_size, global_size, num_global = "brittle-codec", "c" * 64, 7, 5, 2

    def num_semantic(self, samples):
        return samples // 320

    def encode(self, waves):
        ids = [np.arange(len(wave) // 320, dtype=np.int32) % 7 for wave in waves]
        return [CodecTokens(one, np.zeros(2, np.int32)) for one in ids]


class Brittle(TokenizerKind):
    kind = "brittle"
    streams = ("content", "codec")
    resources = Resources(gpus=0.0, memory_gib=0.1)

    def content(self, folder, device):
        return Content()

    def codec(self, folder, device):
        return Codec()
"""


def install_brittle(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process and the workers that it starts find it."""
    write_installed(site, "brittle-tokenizer", {"curation.tokenizers": {"brittle": "Brittle"}}, CODE)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=":")
