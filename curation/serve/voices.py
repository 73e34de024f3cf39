"""Voices that clients may name: what a codec makes of a reference, under a name."""

import logging
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from curation.core.errors import ConfigError, StorageError, UserError
from curation.core.records import typed
from curation.core.storage import Storage
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
        self._codec, self._folder = codec, folder
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
        """Register a voice. Raises ApiError for a name that cannot be used or is taken, and where it cannot be kept."""
        if not NAME.fullmatch(name):
            msg = f"name {name[:80]!r}: letters, digits, - and _ only, at most 64, beginning with a letter or digit"
            raise ApiError(400, msg, param="name")
        if name in self._voices:
            raise ApiError(409, f"there is a voice {name!r} already: delete it first", param="name")
        if len(self._voices) >= MOST:
            raise ApiError(409, f"there are {MOST} voices: delete some first")
        voice = self._voice(name, sample)
        if self._folder is not None:
            try:
                Storage(str(self._folder)).write_json(self._path(name).name, asdict(voice))
            except StorageError as error:
                log.error("%s", error)  # noqa: TRY400 - it says all that there is to know
                raise ApiError(500, "the voice cannot be kept; the server's log says why") from error
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
        return Voice(name, ids, self._codec.fingerprint, int(time.time()), sample.transcript, semantic)

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
                voice = Storage(str(folder)).read_record(path.name, self._checked, "delete it, and register it again")
            except (OSError, UserError) as error:
                log.warning("%s holds no voice (%s): it is left out", path, error)
                continue
            if path.stem != voice.name or voice.name in self._voices:
                log.warning("%s has another name inside, or one that is taken: it is left out", path)
                continue
            self._voices[voice.name] = voice

    def _checked(self, values: Any) -> Voice:
        """A voice as a file holds it. Raises ValueError for one that the codec cannot speak in."""
        voice, codec = typed(Voice, values), self._codec
        if voice.codec != codec.fingerprint:
            msg = "of another codec"
            raise ValueError(msg)
        if len(voice.ids) != codec.num_global or not all(0 <= code < codec.global_size for code in voice.ids):
            msg = f"ids: not {codec.num_global} codes from 0 to {codec.global_size - 1}"
            raise ValueError(msg)
        has_codes = bool(voice.semantic) and all(0 <= code < codec.semantic_size for code in voice.semantic)
        if (voice.transcript or voice.semantic) and not (voice.transcript and has_codes):
            msg = f"transcript and semantic: not a text with codes from 0 to {codec.semantic_size - 1}"
            raise ValueError(msg)
        return voice
