"""What a model needs besides its weights: the vocabulary, which speech tokenizers its codes come from, and how the
recordings of its corpus were denoised and cut.

Every checkpoint carries it, so that a folder is enough to transcribe, speak and convert. Only this module reads and
writes `speech_tokenizers.json`:

    glm, bicodec   references for tokenize/registry.py
    tokenizers     their description in the index of the shards: fingerprints, sizes
    denoise        settings of the build's denoise stage, null where there was none
    cuts           those of its diarize stage that say where utterances end, null where the index does not say
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from curation.core.errors import ConfigError
from curation.core.records import typed
from curation.core.storage import Storage
from curation.tokenize.pair import check_description
from curation.tokenize.vocabulary import Vocabulary, load_vocabulary

FILE = "speech_tokenizers.json"
PARTS = ("glm", "bicodec")
TOKENIZER_FILES = (
    "tokenizer.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)


@dataclass(frozen=True, slots=True)
class TokenizerInfo:
    """The content of `speech_tokenizers.json`; a reference is empty where the file does not name it."""

    glm: str = ""
    bicodec: str = ""
    described: dict[str, Any] = field(default_factory=dict)
    denoise: dict[str, Any] | None = None
    cuts: dict[str, Any] | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Of a checkpoint; all is empty where the file is missing, as in official releases.

        Raises DataError where it is damaged.
        """
        if not (folder / FILE).is_file():
            return cls("", "")
        return Storage(str(folder)).read_record(FILE, cls._from_json, "restore the checkpoint from a copy")

    @classmethod
    def _from_json(cls, values: dict[str, Any]) -> Self:
        info = typed(cls, {("described" if name == "tokenizers" else name): value for name, value in values.items()})
        if info.described:
            check_description(info.described)
        return info

    def write(self, folder: Path) -> None:
        """Write the file of a checkpoint."""
        tokenizers = {"glm": self.glm, "bicodec": self.bicodec, "tokenizers": self.described}
        _write(folder / FILE, tokenizers | {"denoise": self.denoise, "cuts": self.cuts})

    @property
    def fingerprint(self) -> str:
        """Of both tokenizers: shards with another one do not fit."""
        return str(self.described["fingerprint"])

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of each tokenizer (glm, bicodec) in training, where it is known."""
        parts = {name: self.described.get(name) for name in PARTS}
        known = {name: part for name, part in parts.items() if isinstance(part, dict) and "fingerprint" in part}
        return {name: str(part["fingerprint"]) for name, part in known.items()}


@dataclass(frozen=True)
class SpeechInfo:
    """`files` are those that the vocabulary was read from, by their names; none of a new one. They are kept here, since
    the checkpoint that they are from is deleted when there are newer ones.
    """

    vocabulary: Vocabulary
    tokenizers: TokenizerInfo
    files: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def with_files(cls, folder: Path, tokenizers: TokenizerInfo) -> Self:
        """With the vocabulary in a folder. Raises DataError where there is none."""
        found = (folder / name for name in TOKENIZER_FILES)
        files = {path.name: path.read_bytes() for path in found if path.is_file()}
        return cls(load_vocabulary(folder), tokenizers, files)

    @classmethod
    def load(cls, checkpoint: Path) -> Self:
        """From a checkpoint of this trainer. Raises ConfigError where it has no description of its tokenizers."""
        tokenizers = TokenizerInfo.read(checkpoint)
        if "fingerprint" not in tokenizers.described:
            msg = (
                f"{checkpoint / FILE} is missing or does not describe the tokenizers: training resumes only from "
                "checkpoints that `curation train` wrote"
            )
            raise ConfigError(msg)
        return cls.with_files(checkpoint, tokenizers)

    def named(self, given: Mapping[str, str | None]) -> Self:
        """With the references (glm, bicodec) that are given: the tokenizers may have moved since."""
        moved: dict[str, Any] = {name: absolute(reference) for name, reference in given.items() if reference}
        return replace(self, tokenizers=replace(self.tokenizers, **moved))

    def save(self, folder: Path) -> None:
        """Write tokenizer files that transformers reads as well, and the references."""
        for name, content in self.files.items():
            (folder / name).write_bytes(content)
        if not self.files:
            self.vocabulary.save(folder)
            config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
            _write(folder / "tokenizer_config.json", config)
        self.tokenizers.write(folder)

    def check(self, tokenizers: Mapping[str, Any], shards: str) -> None:
        """Raise ConfigError where the shards were made with other tokenizers."""
        own = self.tokenizers
        if tokenizers["fingerprint"] != own.fingerprint:
            msg = (
                f"{shards}: tokens of the tokenizers {tokenizers['fingerprint'][:12]}, the checkpoint was trained on "
                f"those of {own.fingerprint[:12]}: tokenize and publish the corpus with the checkpoint's tokenizers "
                f"({own.glm}, {own.bicodec}), or start a new run"
            )
            raise ConfigError(msg)


def references(shards: str, given: Mapping[str, str | None], tokenizers: Mapping[str, Any]) -> tuple[str, str]:
    """References (glm, bicodec) of the tokenizers that made the shards: as given, as the index has them, or the
    shipped ones where the fingerprint is theirs. Raises ConfigError where they cannot be determined.
    """
    found = []
    for name in PARTS:
        reference = given[name] or tokenizers[name].get("reference")
        if not reference and tokenizers[name].get("fingerprint") == _shipped_fingerprint(name):
            reference = "compact"
        if not reference:
            msg = (
                f"{shards}: which {name} tokenizer made these shards? Their index does not say: set speech.{name} "
                f"to its folder or reference"
            )
            raise ConfigError(msg)
        found.append(absolute(reference))
    return found[0], found[1]


def _shipped_fingerprint(name: str) -> str:
    from curation.tokenize.registry import COMPACT, load_codec, load_content

    return load_content(COMPACT).fingerprint if name == "glm" else load_codec(COMPACT).fingerprint


def absolute(reference: str) -> str:
    """A local folder, or a generation of a corpus in one (`corpus@2`), as an absolute path, so that it is valid in
    another process; all else unchanged.
    """
    path = Path(reference).expanduser()
    if path.is_dir():
        return str(path.resolve())
    folder, _, generation = reference.rpartition("@")
    is_one = folder and generation.isdigit() and Path(folder).expanduser().is_dir()
    return f"{absolute(folder)}@{generation}" if is_one else reference


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
