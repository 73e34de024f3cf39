"""What a build would lack on this machine."""

import pytest

from curation.pipeline.config import load_config
from curation.preflight.doctor import examine


def checks(*overrides, output="."):
    """What was looked at -> the check, without the models' licences."""
    found = examine(load_config(overrides=["engine.workers=1", *overrides]), str(output))
    return {check.what.partition(" (")[0]: check for check in found}


def test_nothing_is_missing_here(tmp_path):
    found = checks(output=tmp_path / "not" / "there")
    assert all(check.ok for check in found.values())
    assert {"CPUs", "memory", "disk", "model whisper-base", "model pyannote-segmentation-3.0"} <= set(found)


@pytest.mark.parametrize(
    ("setting", "what"), [("engine.worker_cpus=100000", "CPUs"), ("engine.decode_cpus=100000", "CPUs")]
)
def test_a_machine_on_which_no_worker_fits_fails(setting, what):
    found = checks(setting)[what]
    assert not found.ok
    assert setting.partition("=")[0] in found.remedy
    assert "for 0 workers" in found.found


def test_memory_must_hold_one_worker(monkeypatch):
    monkeypatch.setattr("curation.preflight.doctor.free_memory", lambda: 2**29)
    found = checks()
    assert found["CPUs"].ok
    assert not found["memory"].ok
    assert "0.5 GiB free" in found["memory"].found
    assert "for 0 workers" in found["CPUs"].found


def test_more_workers_than_fit_are_not_missed():
    """As many as fit are started."""
    found = checks("engine.workers=100000")
    assert found["CPUs"].ok
    assert found["memory"].ok


def test_gpus_are_looked_for_where_workers_reserve_some(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "GPUs" not in checks()
    assert not checks("engine.worker_gpus=1")["GPUs"].ok
    assert checks("engine.worker_gpus=1", "engine.gpu_fallback=true")["GPUs"].ok


@pytest.mark.parametrize(
    ("reference", "remedy"),
    [
        ("path:/nowhere/model", "put it there: path:/nowhere/model"),
        ("hf:someone/model", "curation models fetch hf:someone/model"),
    ],
)
def test_the_remedy_for_a_missing_model(reference, remedy):
    found = checks(f"diarize.embedding={reference}")[f"model {reference}"]
    assert (found.ok, found.remedy) == (False, remedy)


def test_a_remote_folder_has_no_disk_to_look_at():
    assert "disk" not in checks(output="memory://corpus")


def test_the_store_of_the_output_is_looked_at(tmp_path):
    assert "the kernel keeps its lock" in checks(output=tmp_path)["output"].found
    assert "conditional writes keep its lock" in checks(output="s3://bucket/out")["output"].found
    assert "start one build at a time" in checks(output="memory://out")["output"].found
    refused = checks(output="sftp://host/out")["output"]
    assert not refused.ok
    assert "cannot be written over sftp" in refused.found
