"""What a model needs besides its weights: the vocabulary, which speech tokenizers its codes come from, and how the
recordings of its corpus were denoised.

Every checkpoint carries it, so that a folder is enough to transcribe, speak and convert.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from curation.core.errors import ConfigError
from curation.tokenize.files import read_config
from curation.tokenize.vocabulary import Vocabulary, load_vocabulary

FILE = "speech_tokenizers.json"
TOKENIZER_FILES = (
    "tokenizer.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
)


@dataclass(frozen=True)
class Speech:
    """`glm` and `bicodec` are references for tokenize/registry.py, `tokenizers` is the index's description of them.
    `files` is the folder that the vocabulary was read from; None for a new one. `denoise` are the settings of the
    build's denoise stage; None where there was none.
    """

    vocabulary: Vocabulary
    tokenizers: dict[str, Any]
    glm: str
    bicodec: str
    files: Path | None = None
    denoise: dict[str, Any] | None = None

    @property
    def fingerprint(self) -> str:
        """Of the tokenizers: shards with another one do not fit."""
        return str(self.tokenizers["fingerprint"])

    @classmethod
    def load(cls, checkpoint: Path) -> Self:
        """From a checkpoint of this trainer. Raises ConfigError where it has no description of its tokenizers."""
        path = checkpoint / FILE
        if not path.is_file():
            msg = f"{path} does not exist: training goes on only from checkpoints that `curation train` wrote"
            raise ConfigError(msg)
        listed = read_config(path)
        named = listed["tokenizers"], listed["glm"], listed["bicodec"]
        return cls(load_vocabulary(checkpoint), *named, checkpoint, listed.get("denoise"))

    def save(self, folder: Path) -> None:
        """Write tokenizer files that transformers reads as well, and the references."""
        if self.files is None:
            self.vocabulary.save(folder)
            config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
            _write(folder / "tokenizer_config.json", config)
        else:
            for name in TOKENIZER_FILES:
                if (self.files / name).is_file():
                    shutil.copyfile(self.files / name, folder / name)
        named = {"glm": self.glm, "bicodec": self.bicodec, "tokenizers": self.tokenizers}
        _write(folder / FILE, named | {"denoise": self.denoise})

    def check(self, tokenizers: dict[str, Any], shards: str) -> None:
        """Raise ConfigError where the shards were made with other tokenizers."""
        if tokenizers["fingerprint"] != self.fingerprint:
            msg = (
                f"{shards}: tokens of the tokenizers {tokenizers['fingerprint'][:12]}, the checkpoint was trained on "
                f"those of {self.fingerprint[:12]}: tokenize and publish the corpus with the checkpoint's tokenizers "
                f"({self.glm}, {self.bicodec}), or start a new run"
            )
            raise ConfigError(msg)


def references(shards: str, given: dict[str, str | None], tokenizers: dict[str, Any]) -> tuple[str, str]:
    """References (glm, bicodec) of the tokenizers that made the shards: as given, as the index has them, or the
    shipped ones where the fingerprint is theirs. Raises ConfigError where they cannot be known.
    """
    found = []
    for name in ("glm", "bicodec"):
        reference = given[name] or tokenizers[name].get("reference")
        if not reference and tokenizers[name]["fingerprint"] == _shipped_fingerprint(name):
            reference = "compact"
        if not reference:
            msg = (
                f"{shards}: which {name} tokenizer made these shards? Their index does not say it: set speech.{name} "
                f"to its folder or reference"
            )
            raise ConfigError(msg)
        found.append(absolute(reference))
    return found[0], found[1]


def _shipped_fingerprint(name: str) -> str:
    from curation.tokenize.registry import COMPACT, load_codec, load_content

    return load_content(COMPACT).fingerprint if name == "glm" else load_codec(COMPACT).fingerprint


def absolute(reference: str) -> str:
    """A folder here by its whole path, so that it means the same in another process; all else as it is."""
    path = Path(reference).expanduser()
    return str(path.resolve()) if path.is_dir() else reference


def _write(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n", encoding="utf-8")
