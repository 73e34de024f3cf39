"""Opens `.nemo` files: a tar of a YAML configuration, a PyTorch checkpoint and tokenizer files.

Importing this module imports NeMo. What a file may do is limited: members that would be written elsewhere are
refused, weights are read by `curation.models.safe_load`, NeMo itself instantiates only classes on its own list
(version 3.0.0), and the second model that Canary-1B-v2 carries to align words is not loaded.
"""

import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

from curation.core.errors import ModelError
from curation.models.safe_load import Trust, check_pin, load_checkpoint
from curation.models.torch_compat import import_torchaudio

import_torchaudio()

from nemo.collections.asr.models import ASRModel  # noqa: E402 - torchaudio first
from nemo.core.connectors.save_restore_connector import SaveRestoreConnector  # noqa: E402
from nemo.utils import logging as nemo_log  # noqa: E402


class SafeConnector(SaveRestoreConnector):  # type: ignore[misc]  # NeMo has no type information
    """NeMo's connector to restore a model, with the weights read safely."""

    def __init__(self, trust: Trust) -> None:
        super().__init__()
        self.trust = trust

    def _load_state_dict_from_disk(self, model_weights: str, map_location: Any = "cpu") -> Any:
        return load_checkpoint(Path(model_weights), self.trust, device=map_location)


def restore(path: Path, trust: Trust, device: str) -> Any:
    """The model of a `.nemo` file, or of the only one in a folder, ready to transcribe. Raises ModelError."""
    nemo_log.setLevel(nemo_log.ERROR)
    file = find(path)
    with file.open("rb") as opened:
        pinned = check_pin(opened, file, trust)
    check_members(file)
    # A pin covers the whole file: its content is then as trusted as with allow_pickle.
    connector = SafeConnector(Trust(allow_pickle=pinned or trust.allow_pickle, setting=trust.setting))
    config = ASRModel.restore_from(str(file), return_config=True, save_restore_connector=connector)
    config.restore_timestamps_model = False
    model = ASRModel.restore_from(
        str(file), override_config_path=config, map_location=device, save_restore_connector=connector
    )
    model.eval()
    return model


def find(path: Path) -> Path:
    """The `.nemo` file itself, or the one in a folder."""
    files = [path] if path.is_file() else sorted(path.glob("*.nemo"))
    if len(files) != 1:
        msg = f"{path}: expected one .nemo file, found {len(files)}; name the file itself"
        raise ModelError(msg)
    return files[0]


def check_members(path: Path) -> None:
    """Raises ModelError for a file that is not a tar, or with members that are links or lead out of its folder."""
    try:
        with tarfile.open(path) as tar:
            bad = [member.name for member in tar if not _harmless(member)]
    except tarfile.TarError as error:
        msg = f"{path} is not a .nemo file: {error}"
        raise ModelError(msg) from error
    if bad:
        msg = f"{path}: {bad[0]} is a link, a device, or would be written outside its folder: nothing was unpacked"
        raise ModelError(msg)


def _harmless(member: tarfile.TarInfo) -> bool:
    name = PurePosixPath(member.name)
    return (member.isfile() or member.isdir()) and not name.is_absolute() and ".." not in name.parts
