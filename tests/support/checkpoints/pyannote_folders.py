"""pyannote pipelines in the layout of the published ones, with real segmentation and random embeddings.

    community-1   config.yaml, segmentation/, embedding/, plda/; powerset segmentation, WeSpeaker ResNet34, VBx
    3.1           config.yaml that names two repositories; agglomerative clustering

The packaged segmentation model has three independent outputs. The powerset classifier made of it here says the same:
the logarithm of the odds of a set of speakers is the sum of theirs.
"""

from pathlib import Path

import numpy as np
import torch
import yaml
from torch.torch_version import TorchVersion

from curation.models.safe_load import Trust
from curation.models.store import resolve
from curation.stages.diarize.pyannote.adapter import prepare_import
from curation.stages.diarize.pyannote.pretrained import load_model

prepare_import()

from pyannote.audio import Model  # noqa: E402 - needs the preparation
from pyannote.audio.core.task import Problem, Resolution, Specifications  # noqa: E402
from pyannote.audio.models.embedding import WeSpeakerResNet34  # noqa: E402
from pyannote.audio.models.segmentation import PyanNet  # noqa: E402

SETS = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2]]
STEP = 0.5
"""Of a window; the published ones leave pyannote's 0.1, which takes longer."""


def save_community(folder: Path) -> Path:
    """A folder like speaker-diarization-community-1."""
    _save_model(_segmentation(), folder / "segmentation")
    _save_model(_embedding(), folder / "embedding")
    _save_plda(folder / "plda")
    parts = {name: f"$model/{name}" for name in ("segmentation", "embedding", "plda")}
    config = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": _pipeline(clustering="VBxClustering", **parts),
        "params": {"clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8}, "segmentation": {"min_duration_off": 0.0}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def save_3_1(folder: Path, parts: Path) -> Path:
    """A folder like speaker-diarization-3.1: two other repositories hold the models; here they are folders."""
    _save_model(_segmentation(), parts / "segmentation-3.0")
    _save_model(_embedding(), parts / "wespeaker-voxceleb-resnet34-LM")
    names = {"segmentation": "segmentation-3.0", "embedding": "wespeaker-voxceleb-resnet34-LM"}
    clustering = {"method": "centroid", "min_cluster_size": 12, "threshold": 0.7045654963945799}
    config = {
        "version": "3.1.0",
        "pipeline": _pipeline(
            clustering="AgglomerativeClustering", **{key: str(parts / name) for key, name in names.items()}
        ),
        "params": {"clustering": clustering, "segmentation": {"min_duration_off": 0.0}},
    }
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def _pipeline(**parameters: str) -> dict:
    rest = {
        "embedding_batch_size": 32,
        "embedding_exclude_overlap": True,
        "segmentation_batch_size": 32,
        "segmentation_step": STEP,
    }
    return {"name": "pyannote.audio.pipelines.SpeakerDiarization", "params": parameters | rest}


def _segmentation() -> Model:
    old = load_model(resolve("pyannote-segmentation") / "pytorch_model.bin", Trust())
    new = PyanNet(**{key: dict(old.hparams[key]) for key in ("sincnet", "lstm", "linear")})
    new.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=5.0,
        classes=["speaker#1", "speaker#2", "speaker#3"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    new.setup()
    sums = torch.zeros(len(SETS), 3)
    for row, members in enumerate(SETS):
        sums[row, members] = 1
    weights = old.state_dict()
    weights |= {f"classifier.{name}": sums @ weights[f"classifier.{name}"] for name in ("weight", "bias")}
    new.load_state_dict(weights)
    return new


def _embedding() -> Model:
    torch.manual_seed(7)
    model = WeSpeakerResNet34(num_mel_bins=16)  # the published one has 80, and takes five times as long
    model.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=["a", "b"]
    )
    return model


def _save_model(model: Model, folder: Path) -> None:
    """What Lightning's trainer writes, with the versions that published checkpoints carry."""
    checkpoint = {
        "pytorch-lightning_version": "2.0.0",
        "state_dict": model.state_dict(),
        "hparams_name": "kwargs",
        "hyper_parameters": dict(model.hparams),
    }
    model.on_save_checkpoint(checkpoint)
    checkpoint["pyannote.audio"]["versions"]["torch"] = TorchVersion("2.0.0")
    folder.mkdir(parents=True)
    torch.save(checkpoint, folder / "pytorch_model.bin")


def _save_plda(folder: Path) -> None:
    """A PLDA model of 256 -> 128 dimensions that keeps distances."""
    rng = np.random.default_rng(3)
    basis, _ = np.linalg.qr(rng.normal(size=(256, 128)))
    folder.mkdir(parents=True)
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=basis)
    psi = np.linspace(4, 0.1, 128)
    np.savez(folder / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=psi)
