"""Complete pyannote pipelines (community-1, 3.1, ...) from a folder or the Hub, loaded without running foreign code.

pyannote.audio itself reads checkpoints as pickles and imports whatever class a configuration names. Here `config.yaml`
may name pyannote's own pipelines and models only, the models are built from checkpoints read by
`curation.models.safe_load`, and the pipeline gets them as objects. Written for pyannote.audio 4.0.7:
`core/pipeline.py`, `core/model.py` and `pipelines/speaker_diarization.py`.
"""

import importlib
import inspect
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

from curation.core.errors import ModelError
from curation.models.safe_load import Trust, load_checkpoint
from curation.models.store import resolve

MODEL_FILE = "pytorch_model.bin"
PIPELINES = {
    "pyannote.audio.pipelines.SpeakerDiarization": ("segmentation", "embedding"),
    "pyannote.audio.pipelines.VoiceActivityDetection": ("segmentation",),
}
"""Pipelines that may be named, each with the models that it needs: without them, pyannote would fetch its own."""


def load_pipeline(reference: str, trust: Trust, pins: dict[str, str], device: str = "cpu") -> Any:
    """The pipeline of a folder with `config.yaml`, or of a Hub repository.

    `pins` are SHA-256 of checkpoints by their path in the folder. Raises ModelError where it is missing, gated, or
    not to be trusted.
    """
    import torch
    from pyannote.audio import Pipeline

    folder = fetch(reference)
    config = read_config(folder)
    parameters = config["pipeline"]["params"]
    loader = PartLoader(folder, trust, pins)
    for name in PIPELINES[config["pipeline"]["name"]]:
        parameters[name] = loader.model(parameters[name])
    if "embedding" in parameters:
        parameters["plda"] = loader.plda(parameters)
    pipeline = Pipeline.from_pretrained(config)
    return pipeline.to(torch.device(device))


def fetch(reference: str) -> Path:
    """The folder of a pipeline. Raises ModelError; where the Hub refuses, it names the licence to accept."""
    try:
        path = resolve(reference)
    except ModelError as error:
        if not reference.startswith("hf:pyannote/") or not refused(error):
            raise
        page = reference.removeprefix("hf:").partition("@")[0]
        msg = (
            f"the Hub denies access to {page}: its authors ask you to accept the licence. Log in on its page, "
            f"accept the conditions there, create a token with read access, and set it as HF_TOKEN; or copy the "
            f"repository to this machine and set diarize.pipeline to path:FOLDER"
        )
        raise ModelError(msg) from error
    return path if path.is_dir() else path.parent


def refused(error: BaseException) -> bool:
    """Whether the Hub answered that access needs a licence to be accepted, or a token."""
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    cause = error.__cause__
    if isinstance(cause, GatedRepoError):
        return True
    return isinstance(cause, HfHubHTTPError) and cause.response is not None and cause.response.status_code in {401, 403}


def read_config(folder: Path) -> dict[str, Any]:
    """`config.yaml` of a pipeline. Raises ModelError where it is missing, names foreign classes, or no models."""
    file = folder / "config.yaml"
    if not file.is_file():
        msg = f"diarize.pipeline: {folder} is not a pyannote pipeline: config.yaml is missing"
        raise ModelError(msg)
    config: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    pipeline = config.get("pipeline", {})
    name, parameters = pipeline.get("name", ""), pipeline.get("params", {})
    if name not in PIPELINES or "preprocessors" in config:
        msg = f"{file}: pipeline.name must be one of {', '.join(PIPELINES)}, without preprocessors; found {name!r}"
        raise ModelError(msg)
    missing = [key for key in PIPELINES[name] if not isinstance(parameters.get(key), str)]
    if missing:
        msg = f"{file}: pipeline.params must name the models {', '.join(missing)}"
        raise ModelError(msg)
    return config


class PartLoader:
    """Loads the parts that a configuration names: `$model/FOLDER`, a path, or a repository of the Hub."""

    def __init__(self, folder: Path, trust: Trust, pins: dict[str, str]) -> None:
        self.folder, self.trust, self.pins = folder, trust, pins

    def model(self, reference: str) -> Any:
        """A segmentation or embedding model."""
        path = self.place(reference)
        file = path / MODEL_FILE if path.is_dir() else path
        name = str(file.relative_to(self.folder)) if file.is_relative_to(self.folder) else f"{reference}/{MODEL_FILE}"
        trust = Trust(self.pins.get(name, ""), self.trust.allow_pickle, self.trust.setting)
        return load_model(file, trust)

    def plda(self, parameters: dict[str, Any]) -> Any:
        """The PLDA model of VBx clustering: two NumPy archives. Other clusterings never use one."""
        from pyannote.audio.core.plda import PLDA

        if parameters.get("clustering", "VBxClustering") != "VBxClustering":
            return unused_plda()
        return PLDA.from_pretrained(self.place(parameters.get("plda", "$model/plda")))

    def place(self, reference: str) -> Path:
        """Where a part is on this machine; fetched from the Hub where it names a repository."""
        if reference.startswith("$model/"):
            return self.folder / reference.removeprefix("$model/")
        local = Path(reference)
        if local.exists():
            return local
        return fetch(f"hf:{reference}")


def load_model(path: Path, trust: Trust) -> Any:
    """A pyannote model from its checkpoint: the class and settings that it names, with its weights."""
    import omegaconf

    if not path.is_file():
        msg = f"diarize: the checkpoint {path} does not exist"
        raise ModelError(msg)
    checkpoint = load_checkpoint(path, trust, harmless_classes())
    about = checkpoint["pyannote.audio"]
    module, name = about["architecture"]["module"], about["architecture"]["class"]
    if not module.startswith("pyannote.audio.models."):
        msg = f"{path}: model class {module}.{name} is not one of pyannote.audio.models"
        raise ModelError(msg)
    settings = checkpoint.get("hyper_parameters", {})
    if isinstance(settings, omegaconf.Container):
        settings = omegaconf.OmegaConf.to_container(settings)
    model_class = getattr(importlib.import_module(module), name)
    known = inspect.signature(model_class).parameters  # Lightning drops unknown parameters, too
    model = model_class(**{key: value for key, value in settings.items() if key in known})
    model.on_load_checkpoint(checkpoint)
    # A loss with weights of its own is only needed in training.
    weights = {key: value for key, value in checkpoint["state_dict"].items() if not key.startswith("loss_func.")}
    model.load_state_dict(weights)
    model.eval()
    return model


def harmless_classes() -> list[Any]:
    """Classes in pyannote's published checkpoints that only hold data."""
    import typing

    import omegaconf
    from omegaconf.base import ContainerMetadata, Metadata
    from omegaconf.nodes import AnyNode
    from pyannote.audio.core.model import Introspection
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from torch.torch_version import TorchVersion

    own = [Specifications, Problem, Resolution, Introspection, TorchVersion]
    held = [omegaconf.ListConfig, omegaconf.DictConfig, ContainerMetadata, Metadata, AnyNode]
    return [*own, *held, typing.Any, dict, list, int, defaultdict]


def unused_plda() -> Any:
    """The pipeline always requires a PLDA model and would fetch one; agglomerative clustering never uses it."""
    from pyannote.audio.core.plda import PLDA

    class UnusedPLDA(PLDA):  # type: ignore[misc]  # pyannote has no type information
        def __init__(self) -> None:
            pass

    return UnusedPLDA()
