"""Voices that clients may name: what a codec makes of a reference, under a name."""

import json
import logging
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from curation.core.errors import ConfigError
from curation.serve.errors import ApiError
from curation.tokenize.base import CodecTokenizer
from curation.train.infer.tokenizers import VoiceSample

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SHIPPED = "default"
"""A voice that is always there: a reader whose recording a package carries."""
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice; `ids` are (32,) global ids of the codec with this fingerprint. Where its words are known, also their
    `transcript`, and the `semantic` codes (tokens,) of the recording.
    """

    name: str
    ids: list[int]
    codec: str
    created: int
    transcript: str = ""
    semantic: list[int] = field(default_factory=list)


class Voices:
    """Registered voices, in a folder where one is given. One event loop calls it."""

    def __init__(self, codec: CodecTokenizer, shipped: VoiceSample, folder: Path | None = None) -> None:
        self._codec, self._folder = codec.fingerprint, folder
        self._voices = {SHIPPED: self._voice(SHIPPED, shipped)}
        if folder is not None:
            self._read(folder)

    def all(self) -> list[Voice]:
        """All voices, by name."""
        return sorted(self._voices.values(), key=lambda voice: voice.name)

    def sample(self, name: str) -> VoiceSample:
        """A voice as a reference. Raises ApiError where there is none of the name."""
        voice = self._known(name)
        return VoiceSample(np.array(voice.ids, np.int32), voice.transcript, np.array(voice.semantic, np.int32))

    def add(self, name: str, sample: VoiceSample) -> Voice:
        """Register a voice. Raises ApiError for a name that cannot be used, or is taken."""
        if not NAME.fullmatch(name):
            msg = f"name {name[:80]!r}: letters, digits, - and _ only, at most 64, beginning with a letter or digit"
            raise ApiError(400, msg, param="name")
        if name in self._voices:
            raise ApiError(409, f"there is a voice {name!r} already: delete it first", param="name")
        if len(self._voices) >= MOST:
            raise ApiError(409, f"there are {MOST} voices: delete some first")
        voice = self._voice(name, sample)
        if self._folder is not None:
            path = self._path(name)
            temporary = path.with_suffix(".part")
            temporary.write_text(json.dumps(asdict(voice)), encoding="utf-8")
            temporary.replace(path)
        self._voices[name] = voice
        return voice

    def remove(self, name: str) -> None:
        """Delete a voice. Raises ApiError where there is none, and for the shipped one."""
        self._known(name)
        if name == SHIPPED:
            raise ApiError(400, f"the voice {SHIPPED!r} cannot be deleted", param="name")
        if self._folder is not None:
            self._path(name).unlink(missing_ok=True)
        del self._voices[name]

    def _known(self, name: str) -> Voice:
        if name not in self._voices:
            msg = f"there is no voice {name[:80]!r}: register it at /v1/voices, or use {SHIPPED!r}"
            raise ApiError(404, msg, param="voice", code="voice_not_found")
        return self._voices[name]

    def _voice(self, name: str, sample: VoiceSample) -> Voice:
        ids, semantic = sample.ids.tolist(), sample.semantic.tolist()
        return Voice(name, ids, self._codec, int(time.time()), sample.transcript, semantic)

    def _path(self, name: str) -> Path:
        """Names hold neither dots nor slashes, so no name leads out of the folder."""
        return Path(self._folder or "") / f"{name}.json"

    def _read(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            paths = sorted(folder.glob("*.json"))
        except OSError as error:
            msg = f"--voices {folder}: not a folder that can be used ({error})"
            raise ConfigError(msg) from error
        for path in paths:
            try:
                voice = Voice(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                log.warning("%s holds no voice (%s): it is left out", path, error)
                continue
            if voice.codec != self._codec or path.stem != voice.name:
                log.warning("%s is of another codec, or has another name inside: it is left out", path)
                continue
            self._voices[voice.name] = voice
