"""Complete pyannote pipelines in their published layout, on real audio; and what is refused."""

import http.server
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
import yaml

from curation.core.errors import ModelError
from curation.models.safe_load import Trust
from curation.models.store import resolve, sha256_of
from curation.stages.diarize.config import DiarizeConfig
from curation.stages.diarize.pyannote.pretrained import load_model, read_config
from curation.stages.diarize.stage import Diarize
from tests.support.checkpoints.pyannote_folders import save_3_1, save_community
from tests.support.real_speech import SAMPLE, recording, wave

PHONE = wave(SAMPLE)[6 * 16000 : 18 * 16000]
"""12 s of telephone speech with two speakers and an overlap."""


@pytest.fixture(scope="module")
def community(tmp_path_factory) -> Path:
    return save_community(tmp_path_factory.mktemp("community-1"))


def diarized(folder: Path, **settings):
    torch.set_num_threads(1)
    stage = Diarize(DiarizeConfig(pipeline=f"path:{folder}", **settings))
    stage.setup()
    row = recording(PHONE)
    stage.process([row])
    return stage, row


def test_community_layout_with_vbx(community):
    stage, row = diarized(community)
    pipeline = stage.diarizer.pipeline
    assert type(pipeline.clustering).__name__ == "VBxClustering"
    assert (pipeline.clustering.Fa, pipeline.clustering.Fb) == (0.07, 0.8)
    assert pipeline._segmentation.model.specifications.powerset
    spoken = sum(s.num_samples for s in row.live_segments) / 16000
    assert 5 < spoken < 12
    reasons = {s.verdict.reason for s in row.segments if s.verdict}
    assert "diarize.exclude_overlap" in reasons


def test_layout_of_3_1_with_agglomerative_clustering(tmp_path):
    stage, row = diarized(save_3_1(tmp_path / "3.1", tmp_path / "parts"))
    clustering = stage.diarizer.pipeline.clustering
    assert (type(clustering).__name__, clustering.method) == ("AgglomerativeClustering", "centroid")
    assert row.live_segments


def test_a_model_is_what_pyannote_itself_loads():
    """Same weights, same settings, without its unrestricted pickle."""
    from pyannote.audio import Model

    path = resolve("pyannote-segmentation") / "pytorch_model.bin"
    ours, theirs = load_model(path, Trust()), Model.from_pretrained(str(path)).eval()
    assert ours.specifications == theirs.specifications
    voice = torch.from_numpy(PHONE[:80000])[None, None]
    with torch.inference_mode():
        assert torch.equal(ours(voice), theirs(voice))


class Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (os.mkdir, (str(self.target),))


def poison(folder: Path, target: Path) -> Path:
    file = folder / "embedding" / "pytorch_model.bin"
    checkpoint = torch.load(file, weights_only=False)
    torch.save(checkpoint | {"callbacks": Payload(target)}, file)
    return file


def test_a_pickle_is_refused_unless_pinned_or_allowed(tmp_path):
    folder = save_community(tmp_path / "pipeline")
    file = poison(folder, tmp_path / "ran")
    with pytest.raises(ModelError, match=r"could run any code.*diarize\.allow_pickle"):
        Diarize(DiarizeConfig(pipeline=f"path:{folder}")).setup()
    wrong = {"embedding/pytorch_model.bin": "0" * 64}
    with pytest.raises(ModelError, match=r"diarize\.sha256 pins 0000"):
        Diarize(DiarizeConfig(pipeline=f"path:{folder}", sha256=wrong, allow_pickle=True)).setup()
    assert not (tmp_path / "ran").exists()
    right = {"embedding/pytorch_model.bin": sha256_of(file)}
    Diarize(DiarizeConfig(pipeline=f"path:{folder}", sha256=right)).setup()
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize(
    "config",
    [
        {"pipeline": {"name": "os.system"}},
        {"pipeline": {"name": "pyannote.audio.pipelines.SpeakerDiarization"}, "preprocessors": {"x": {"name": "a.B"}}},
    ],
)
def test_foreign_classes_in_the_configuration_are_refused(tmp_path, config):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelError, match=r"pyannote\.audio\.pipelines"):
        read_config(tmp_path)


def test_models_must_be_named_and_be_there(tmp_path):
    """Where one is left out, pyannote would fetch and unpickle its own."""
    pipeline = {
        "name": "pyannote.audio.pipelines.SpeakerDiarization",
        "params": {"segmentation": "$model/segmentation"},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"pipeline": pipeline}))
    with pytest.raises(ModelError, match="must name the models embedding"):
        read_config(tmp_path)
    pipeline["params"]["embedding"] = "$model/embedding"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"pipeline": pipeline}))
    with pytest.raises(ModelError, match="segmentation does not exist"):
        Diarize(DiarizeConfig(pipeline=f"path:{tmp_path}")).setup()


def test_foreign_classes_in_a_checkpoint_are_refused(community, tmp_path):
    checkpoint = torch.load(community / "embedding" / "pytorch_model.bin", weights_only=False)
    checkpoint["pyannote.audio"]["architecture"] = {"module": "subprocess", "class": "Popen"}
    torch.save(checkpoint, tmp_path / "model.bin")
    with pytest.raises(ModelError, match=r"subprocess\.Popen is not one of"):
        load_model(tmp_path / "model.bin", Trust())


class GatedHub(http.server.BaseHTTPRequestHandler):
    """Answers as the Hub does for a repository whose licence was not accepted."""

    def do_GET(self):
        self.send_response(403)
        self.send_header("X-Error-Code", "GatedRepo")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 - the name that http.server calls

    def log_message(self, *args):
        pass


def test_a_gated_repository_says_whose_licence_is_to_be_accepted(tmp_path):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GatedHub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = (
        "from curation.stages.diarize.pyannote.pretrained import fetch\n"
        "from curation.models.store import ModelError\n"
        "try: fetch('hf:pyannote/speaker-diarization-community-1')\n"
        "except ModelError as error: print(error)"
    )
    address = f"http://127.0.0.1:{server.server_port}"
    environment = os.environ | {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    server.shutdown()
    server.server_close()
    assert "accept the licence" in done.stdout
    assert "pyannote/speaker-diarization-community-1" in done.stdout
    assert "HF_TOKEN" in done.stdout
