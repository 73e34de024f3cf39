"""The content of a checkpoint folder, the trainer's or an official one: model, vocabulary and tokenizers.

    ours      config.json  model.safetensors  tokenizer.json  added_tokens.json  speech_tokenizers.json
    official  config.json  model.safetensors  tokenizer files  BiCodec/…  a folder with the GLM-4-Voice tokenizer

Where `speech_tokenizers.json` is missing, the tokenizers are searched inside the folder, by the content of their files
and not by their names.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from curation.core.errors import DataError
from curation.tokenize.files import read_config
from curation.tokenize.vocabulary import Vocabulary, load_vocabulary
from curation.train.checkpoint.places import latest
from curation.train.checkpoint.speech_info import FILE, TokenizerInfo

DEPTH = 2
"""Levels of folders below the checkpoint that are searched."""


@dataclass(frozen=True, slots=True)
class CheckpointFolder:
    """`model` is the folder of the language model; `tokenizers` names both tokenizers."""

    model: Path
    tokenizers: TokenizerInfo

    def vocabulary(self) -> Vocabulary:
        """Read text ids, markers and streams."""
        return load_vocabulary(self.model)


def find_parts(folder: Path) -> CheckpointFolder:
    """Search a checkpoint folder, or that of a run, which stands for its last checkpoint.

    Raises DataError that says what is missing and where it was searched.
    """
    if not folder.is_dir():
        msg = f"{folder}: no such folder; expected a checkpoint"
        raise DataError(msg)
    folder = latest(folder) or folder
    model = next((place for place in _folders(folder) if _kind(place) == "model"), None)
    if model is None:
        msg = f"{folder}: no language model: expected a config.json with model_type qwen3 there or in a folder below"
        raise DataError(msg)
    listed = TokenizerInfo.read(folder)
    glm, bicodec = _reference(folder, listed.glm, "glm"), _reference(folder, listed.bicodec, "bicodec")
    return CheckpointFolder(model, replace(listed, glm=glm, bicodec=bicodec))


def _reference(folder: Path, listed: str, name: str) -> str:
    if listed:
        own = folder / listed
        return str(own) if own.is_dir() else listed
    found = next((place for place in _folders(folder) if _kind(place) == name), None)
    if found is None:
        signs = {"glm": "config.json has quantize_vocab_size", "bicodec": "config.yaml has audio_tokenizer"}
        msg = f"{folder}: no {FILE} that names {name!r}, and no folder inside whose {signs[name]}"
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
