"""What a checkpoint folder holds, the trainer's or an official one: where its model, vocabulary and tokenizers are.

    ours      config.json  model.safetensors  tokenizer.json  added_tokens.json  speech_tokenizers.json
    official  config.json  model.safetensors  tokenizer files  BiCodec/…  a folder with the GLM-4-Voice tokenizer

`speech_tokenizers.json` names the tokenizers by the references of `tokenize:` in a build's configuration, and says how
recordings were denoised. Where it is missing they are looked for inside the folder, by what their files say and not by
their names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.core.errors import DataError
from curation.tokenize.files import read_config
from curation.tokenize.vocabulary import Vocabulary, load_vocabulary
from curation.train.checkpoint.training import latest

REFERENCES = "speech_tokenizers.json"
DEPTH = 2
"""Levels of folders below the checkpoint that are looked through."""


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """`model` is the folder of the language model; `content` and `codec` are references for tokenize/registry.py.
    `fingerprints` (glm, bicodec) are those of training, and `denoise` the settings of its corpus' denoise stage, where
    the folder tells them.
    """

    model: Path
    content: str
    codec: str
    fingerprints: Mapping[str, str]
    denoise: Mapping[str, Any] | None = None

    def vocabulary(self) -> Vocabulary:
        """Read text ids, markers and streams."""
        return load_vocabulary(self.model)


def find_parts(folder: Path) -> CheckpointFolder:
    """Look through a checkpoint folder, or that of a run, which stands for its last checkpoint.

    Raises DataError that says what is missing and where it was looked for.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; expected a checkpoint"
        raise DataError(msg)
    folder = latest(folder) or folder
    model = next((place for place in _folders(folder) if _kind(place) == "model"), None)
    if model is None:
        msg = f"{folder}: no language model: expected a config.json with model_type qwen3 there or in a folder below"
        raise DataError(msg)
    listed = read_config(folder / REFERENCES) if (folder / REFERENCES).is_file() else {}
    trained = {name: part["fingerprint"] for name, part in _described(listed).items() if "fingerprint" in part}
    named = _reference(folder, listed, "glm"), _reference(folder, listed, "bicodec")
    return CheckpointFolder(model, *named, trained, listed.get("denoise"))


def _described(listed: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the shards' index said of each tokenizer, as the trainer hands it on."""
    parts = {name: listed.get("tokenizers", {}).get(name) for name in ("glm", "bicodec")}
    return {name: part for name, part in parts.items() if isinstance(part, dict)}


def _reference(folder: Path, listed: dict[str, Any], name: str) -> str:
    if name in listed:
        own = folder / str(listed[name])
        return str(own) if own.is_dir() else str(listed[name])
    found = next((place for place in _folders(folder) if _kind(place) == name), None)
    if found is None:
        signs = {"glm": "config.json has quantize_vocab_size", "bicodec": "config.yaml has audio_tokenizer"}
        msg = f"{folder}: no {REFERENCES} that names {name!r}, and no folder inside whose {signs[name]}"
        raise DataError(msg)
    return str(found)


def _folders(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """The folder and those below it, nearer ones first."""
    level = [folder]
    for _ in range(depth + 1):
        yield from level
        level = [child for place in level for child in sorted(place.iterdir()) if child.is_dir()]


def _kind(folder: Path) -> str:
    if (folder / "config.json").is_file():
        config = read_config(folder / "config.json")
        if "quantize_vocab_size" in config:
            return "glm"
        return "model" if config.get("model_type") == "qwen3" else ""
    if (folder / "config.yaml").is_file() and "audio_tokenizer" in read_config(folder / "config.yaml"):
        return "bicodec"
    return ""
