"""GPUs: shared by fractions, missed with an error, or replaced by the CPU with a note in every row."""

import os
import time
from pathlib import Path

import pytest

from curation.core.errors import ConfigError, ModelError
from curation.pipeline.config import BuildConfig, load_config
from curation.pipeline.gpu import for_this_machine, has_gpu, on_gpu
from curation.stages.base import Stage
from tests.support.builds import rows, table, toy_build, toy_config, write_recordings
from tests.support.toy import choir_stages, toy_stages

NOTE = "no GPU: ran on the CPU: transcribe.systems.w"
needs_no_gpu = pytest.mark.skipif(has_gpu(), reason="this machine has a GPU")


def with_cuda(runtime="in-process", **engine) -> BuildConfig:
    """The toy configuration with a system that wants a GPU (its stages load no model)."""
    values = toy_config(runtime, **engine).model_dump(mode="json")
    system = {"name": "w", "kind": "whisper", "model": "whisper-base", "device": "cuda", "compute_type": "float16"}
    values["transcribe"] |= {"systems": [system], "language_system": "w"}
    return BuildConfig.model_validate(values)


def test_offline_wants_none_and_paper_says_which():
    assert on_gpu(load_config()) == []
    wanted = on_gpu(load_config(preset="paper"))
    assert "transcribe.systems.whisper-large-v3" in wanted
    assert "tokenize" in wanted


@needs_no_gpu
def test_without_a_gpu_it_is_an_error_that_names_the_models():
    with pytest.raises(ModelError, match=r"transcribe.systems.w\. .*engine.gpu_fallback"):
        for_this_machine(with_cuda())


@needs_no_gpu
def test_fallback_puts_models_on_the_cpu_in_a_type_that_it_computes():
    config, note = for_this_machine(with_cuda(gpu_fallback=True))
    assert note == NOTE
    assert config.transcribe.systems[0].model_dump()["device"] == "cpu"
    assert config.transcribe.systems[0].model_dump()["compute_type"] == "float32"
    assert for_this_machine(with_cuda(gpu_fallback=True), only=("tokenize.",))[1] == ""


@needs_no_gpu
def test_a_build_that_fell_back_says_so_in_its_rows_and_once_in_the_log(tmp_path, caplog):
    source = write_recordings(tmp_path / "in", ["alpha", "beta", "gamma", "delta"])
    toy_build(source, tmp_path / "out", with_cuda(gpu_fallback=True, unit_files=1))
    notes = [{note["name"]: note["value"] for note in row["notes"]} for row in rows(tmp_path / "out", "shards")]
    assert len(notes) > 5
    assert all(note["engine.gpu_fallback"] == NOTE for note in notes)
    assert [record.message for record in caplog.records if NOTE in record.message] == [f"label: {NOTE}"]


class Where(Stage):
    """Notes which GPU the worker was given, and which process it is. Each waits for the other, that both have work."""

    name = "where"

    def process(self, batch):
        seen = Path(batch[0].source.path).parents[1] / "processes"
        seen.mkdir(exist_ok=True)
        (seen / str(os.getpid())).touch()
        end = time.monotonic() + 120
        while not (met := len(list(seen.iterdir())) == 2) and time.monotonic() < end:
            time.sleep(0.05)
        notes = {"gpu": os.environ.get("CUDA_VISIBLE_DEVICES", "none"), "pid": str(os.getpid()), "met": str(met)}
        for recording in batch:
            recording.notes |= notes


def stages_that_say_where(config):
    return [*toy_stages(config), Where()]


def test_two_workers_share_a_gpu_and_leave_room_for_decoding(cluster, tmp_path):
    source = write_recordings(tmp_path / "in", [f"r{number}" for number in range(12)])
    config = toy_config("ray", address=cluster.address, worker_gpus=0.5, worker_cpus=1, unit_files=1)
    toy_build(source, tmp_path / "out", config, make_stages=stages_that_say_where)
    staged = [dict(notes) for notes in table(tmp_path / "out", "staging")["notes"].to_pylist()]
    assert {note["gpu"] for note in staged} == {"0"}
    assert len({note["pid"] for note in staged}) == 2
    assert {note["met"] for note in staged} == {"True"}


def test_pools_of_their_own_give_the_rows_of_one_process(cluster, tmp_path):
    """A system on half the GPU, the others without; the stages before and after them in pools of their own."""
    source = write_recordings(tmp_path / "in", ["alpha", "beta", "no-low", "gamma", "raise"])
    settings = "{mid: {gpus: 0.4, cpus: 0.2}, high: {cpus: 0.2}, low: {cpus: 0.2}, cut: {cpus: 0.2}, hear: {cpus: 0.2}}"
    config = toy_config("ray", address=cluster.address, pools="separate", pool_settings=settings)
    toy_build(source, tmp_path / "out", config, make_stages=choir_stages)
    toy_build(source, tmp_path / "expected", make_stages=choir_stages)
    for folder in ("staging", "ledger", "shards"):
        assert table(tmp_path / "out", folder).equals(table(tmp_path / "expected", folder))


def test_a_pool_without_room_is_named_at_the_start(cluster, tmp_path):
    source = write_recordings(tmp_path / "in", ["alpha"])
    config = toy_config("ray", address=cluster.address, pools="separate")
    with pytest.raises(ConfigError, match=r"no room for the pool \w+: 1 x 1 CPUs.*engine.pool_settings"):
        toy_build(source, tmp_path / "out", config, make_stages=choir_stages)


def test_more_gpu_than_there_is_is_refused(cluster, tmp_path):
    source = write_recordings(tmp_path / "in", ["alpha"])
    with pytest.raises(ConfigError, match=r"no worker fits.*2 GPUs \(engine.worker_gpus\).*1 GPUs.*engine.workers"):
        toy_build(source, tmp_path / "out", toy_config("ray", address=cluster.address, worker_gpus=2))


@pytest.mark.slow
@needs_no_gpu
def test_workers_on_machines_without_gpus_fall_back(cluster, tmp_path):
    source = write_recordings(tmp_path / "in", ["alpha", "beta"])
    toy_build(source, tmp_path / "out", with_cuda("ray", address=cluster.address, worker_gpus=1, gpu_fallback=True))
    staged = [dict(notes) for notes in table(tmp_path / "out", "staging")["notes"].to_pylist()]
    assert [note["engine.gpu_fallback"] for note in staged] == [NOTE] * 2
