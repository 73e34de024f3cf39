"""Montreal Forced Aligner's settings, its models on disk, and the remedy where it is not installed.

Sources: montreal_forced_aligner 3.4.3, `models/classes.py` for the archives, `command_line/align_one.py` for their use.
"""

import importlib.util
import os
import shutil
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field, model_validator

from curation.core.errors import ModelError
from curation.core.settings import Section, model_field
from curation.models.store import resolve, sha256_of, store_root

INSTALL = "conda install -c conda-forge montreal-forced-aligner"
MODULES = ("montreal_forced_aligner", "kalpy", "_kalpy", "pywrapfst", "pynini")
"""What must be importable to align in memory. Kaldi is inside `_kalpy`, which only conda ships prebuilt."""
MAX_UNPACKED_BYTES = 8 * 2**30


class MfaConfig(Section):
    """Models of Montreal Forced Aligner, and how it is run."""

    acoustic_model: str = model_field(..., "Reference of an acoustic model: a .zip of MFA, or its folder")
    dictionary: str = model_field(..., "Reference of a pronunciation dictionary (one .dict file)")
    g2p: str = model_field("", "Reference of a G2P model for words outside the dictionary; empty: spoken noise")
    language: str = Field("en", description="ISO 639-1 code of the language of these models")
    run: Literal["direct", "memory", "command"] = Field(
        "direct",
        description="direct: without MFA itself; memory: MFA loaded in each worker; command: `mfa align` per batch",
    )
    boost_silence: float = Field(1.0, gt=0, description="Factor of the likelihood of silence, for run: direct")
    adapt_to_speakers: bool = Field(
        default=False,
        description="Adapt the features to each speaker of a recording with 5 s of speech, for run: direct",
    )
    min_fit: float = Field(
        -7.0,
        le=0,
        description="Log-likelihood of a frame, relative to the best sound of the model, below which on average a text "
        "could not be aligned, for run: direct",
    )
    command: str = Field("mfa", description="The program, for run: command; it may be in another environment")
    beam: int = Field(10, ge=1, description="Beam of the search, for run: memory and command")
    retry_beam: int = Field(40, ge=1, description="Beam of the second search, where the first fails")
    timeout_seconds: float = Field(1500.0, gt=0, description="Seconds after which `mfa align` is stopped")

    @model_validator(mode="after")
    def _check(self) -> "MfaConfig":
        if self.g2p and self.run == "direct":
            msg = "punctuate.mfa.g2p needs run: memory or command; run: direct aligns unknown words as spoken noise"
            raise ValueError(msg)
        return self


def missing(config: MfaConfig) -> str:
    """What must be installed, with the command; empty where nothing is missing."""
    if config.run == "direct":
        return ""
    if config.run == "command":
        found = shutil.which(config.command)
        return "" if found else f"the program {config.command!r} is not on the PATH: {INSTALL}"
    lacking = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if not lacking:
        return ""
    return (
        f"Montreal Forced Aligner needs Kaldi, which pip does not install (not importable: {', '.join(lacking)}): "
        f"{INSTALL}, and install curation into the same environment; docs/how-to/mfa.md"
    )


def mfa_root() -> Path:
    """Where unpacked models, compiled dictionaries and MFA's own files go."""
    return store_root() / "mfa"


def prepare_environment() -> None:
    """MFA creates a folder ~/Documents/MFA on import, unless another one is set."""
    os.environ.setdefault("MFA_ROOT_DIR", str(mfa_root() / "root"))


def model_folder(reference: str) -> Path:
    """The folder of an acoustic or G2P model; a .zip is unpacked once, into a folder named by its SHA-256.

    MFA would unpack it into one folder for all processes, deleting that first: concurrent workers would remove each
    other's files. Raises ModelError.
    """
    path = resolve(reference)
    if path.is_dir():
        return path
    target = mfa_root() / "models" / sha256_of(path)[:16] / path.stem
    if not target.is_dir():
        _unpack(path, target)
    return target


def dictionary_file(reference: str) -> Path:
    """The dictionary's file, or the only one of MFA's repository on a hub.

    Raises ModelError for any other file, e.g. the YAML file of several dictionaries.
    """
    path = resolve(reference)
    inside = sorted((path / "dictionary").glob("*.dict"))
    if len(inside) == 1:
        return inside[0]
    if inside:
        names = ", ".join(file.name for file in inside)
        msg = f"punctuate.mfa.dictionary: {path} has several, name one of them with path: ({names})"
        raise ModelError(msg)
    if not path.is_file() or path.suffix.lower() not in {".dict", ".txt"}:
        msg = f"punctuate.mfa.dictionary: {path} is not one dictionary file (.dict or .txt)"
        raise ModelError(msg)
    return path


def _unpack(path: Path, target: Path) -> None:
    """Write the files of the archive, without their folders, atomically."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                _copy_members(archive, Path(folder) / "model")
        except (zipfile.BadZipFile, OSError) as error:
            msg = f"{path} is not a model of Montreal Forced Aligner ({error})"
            raise ModelError(msg) from error
        publish(Path(folder) / "model", target)


def _copy_members(archive: zipfile.ZipFile, folder: Path) -> None:
    members = [item for item in archive.infolist() if not item.is_dir()]
    if sum(item.file_size for item in members) > MAX_UNPACKED_BYTES:
        msg = f"it unpacks to more than {MAX_UNPACKED_BYTES} bytes"
        raise zipfile.BadZipFile(msg)
    folder.mkdir()
    for item in members:
        # Only the last part of the name is used, so that no name escapes the folder.
        name = PurePosixPath(item.filename.replace("\\", "/")).name
        if name in {"", ".", ".."} or (folder / name).exists():
            msg = f"unexpected member {item.filename!r}"
            raise zipfile.BadZipFile(msg)
        with archive.open(item) as source, (folder / name).open("wb") as out:
            shutil.copyfileobj(source, out)


def publish(folder: Path, target: Path) -> None:
    """Move a finished folder to its place; where another process was first, its copy stays."""
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():
            raise
