"""The files of an acoustic model, out of MFA's .zip or its folder, within limits.

Only the files that alignment needs are read, into memory: nothing is unpacked, so that no name leads anywhere.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from curation.core.errors import ModelError

MEMBERS = ("final.mdl", "final.alimdl", "tree", "lda.mat", "meta.json", "meta.yaml", "phones.txt")
REQUIRED = ("final.mdl", "tree")
MAX_BYTES = 4 * 2**30
"""Of all files together, unpacked; the largest public models have a few hundred MB."""
MAX_MEMBERS = 10_000
"""Of an archive, needed or not."""


def read_model(path: Path) -> dict[str, bytes]:
    """The content of those of `MEMBERS` that there are. Raises ModelError where it is no acoustic model."""
    try:
        files = _from_folder(path) if path.is_dir() else _from_zip(path)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        msg = f"{path} is not a model of Montreal Forced Aligner ({error})"
        raise ModelError(msg) from error
    if lacking := [name for name in REQUIRED if name not in files]:
        msg = f"{path} is not an acoustic model of Montreal Forced Aligner: {' and '.join(lacking)} not in it"
        raise ModelError(msg)
    return files


def _from_folder(folder: Path) -> dict[str, bytes]:
    folder = folder / "acoustic" if (folder / "acoustic").is_dir() else folder  # MFA's repositories on a hub
    found = [folder / name for name in MEMBERS if (folder / name).is_file()]
    _check_size(sum(file.stat().st_size for file in found), folder)
    return {file.name: file.read_bytes() for file in found}


def _from_zip(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        members = dict(_wanted(archive, path))
        _check_size(sum(item.file_size for item in members.values()), path)
        return {name: archive.read(item) for name, item in members.items()}  # checks size and CRC


def _wanted(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    if len(archive.infolist()) > MAX_MEMBERS:
        msg = f"{path} has more than {MAX_MEMBERS} files: it is no acoustic model"
        raise ModelError(msg)
    seen = set()
    for item in archive.infolist():
        name = PurePosixPath(item.filename.replace("\\", "/")).name
        if item.is_dir() or name not in MEMBERS:
            continue
        if name in seen:
            msg = f"{path} holds {name} twice"
            raise ModelError(msg)
        seen.add(name)
        yield name, item


def _check_size(size: int, path: Path) -> None:
    """Raise ModelError for files of so many bytes together that they are a bomb, or of something else."""
    if size > MAX_BYTES:
        msg = f"{path} unpacks to {size / 2**30:.1f} GiB, more than the limit of {MAX_BYTES / 2**30:.0f} GiB"
        raise ModelError(msg)
