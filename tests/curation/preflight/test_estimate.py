"""What a build would take: workers, models on a GPU, and time from a calibration run."""

import json

import pytest
import soundfile
from typer.testing import CliRunner

from curation.cli import app
from curation.pipeline.config import BuildConfig, load_config
from curation.preflight.estimate import (
    Machines,
    make_plan,
    model_size,
    packaged_speech,
)
from curation.preflight.requirements import Model

GIB = 2**30


def on_gpu(folder, sizes_mib, **engine) -> BuildConfig:
    """The offline preset with one system on the GPU for each size, its weights a sparse file in `folder`."""
    systems = []
    for number, size in enumerate(sizes_mib):
        weights = folder / f"m{number}"
        weights.mkdir()
        with (weights / "model.bin").open("wb") as file:
            file.truncate(size * 2**20)
        systems.append({"name": f"s{number}", "kind": "whisper", "model": f"path:{weights}", "device": "cuda"})
    values = load_config(overrides=["tokenize=null"]).model_dump(mode="json")
    values["transcribe"] |= {"systems": systems, "language_system": "s0"}
    values["engine"] |= {"worker_cpus": 4, **engine}
    return BuildConfig.model_validate(values)


@pytest.mark.parametrize(
    ("machines", "overrides", "workers"),
    [
        (Machines(2), [], 2),
        (Machines(64), [], 71),
        (Machines(64), ["engine.workers=8"], 8),
        (Machines(64, 4), ["engine.worker_cpus=4", "engine.worker_gpus=0.5"], 8),
        (Machines(16, 4), ["engine.worker_cpus=4", "engine.worker_gpus=0.5"], 4),
    ],
)
def test_workers_are_what_fits(machines, overrides, workers):
    assert make_plan(load_config(overrides=overrides), machines, calibrate=False).workers == workers


def test_what_does_not_fit_is_a_problem():
    plan = make_plan(load_config(overrides=["engine.worker_gpus=1"]), Machines(8), calibrate=False)
    assert plan.workers == 0
    assert "no worker fits" in plan.problems[0]


def test_with_fallback_a_machine_without_gpus_fits(tmp_path):
    config = on_gpu(tmp_path, [1024], gpu_fallback=True)
    plan = make_plan(config, Machines(8), calibrate=False)
    assert (plan.worker_gpus, plan.workers, plan.problems) == (0.0, 2, [])
    assert make_plan(config, Machines(8, 1), calibrate=False).worker_gpus == 1.0


def test_main_memory_limits_the_workers_where_it_is_known():
    every = make_plan(load_config(), Machines(64), calibrate=False)
    each = every.declared_gib
    few = make_plan(load_config(), Machines(64, memory_gib=2.5 * each), calibrate=False)
    assert (few.workers, few.problems) == (2, [])
    none = make_plan(load_config(), Machines(64, memory_gib=0.5 * each), calibrate=False)
    assert none.workers == 0
    assert "GiB of memory" in none.problems[0]


def test_models_of_workers_that_share_a_gpu_must_fit_it(tmp_path):
    """4 GiB of weights are 5 GiB with activations and 6 GiB with the context of the process; two workers share."""
    config = on_gpu(tmp_path, [3 * 1024, 1024], worker_gpus=0.5)
    plan = make_plan(config, Machines(16, 2, gpu_gib=12.1), calibrate=False)
    assert plan.worker_gpu_gib == pytest.approx(6.0)
    assert plan.problems == []
    plan = make_plan(config, Machines(16, 2, gpu_gib=11.9), calibrate=False)
    assert len(plan.problems) == 1
    assert plan.problems[0].startswith("2 worker(s) on a GPU need about 12.0 GiB")


def test_systems_on_the_cpu_do_not_count(tmp_path):
    config = on_gpu(tmp_path, [1024, 8 * 1024], worker_gpus=1)
    values = config.model_dump(mode="json")
    values["transcribe"]["systems"][1]["device"] = "cpu"
    plan = make_plan(BuildConfig.model_validate(values), Machines(16, 1, gpu_gib=8), calibrate=False)
    assert plan.worker_gpu_gib == pytest.approx(2.25)  # 1 GiB of weights
    assert plan.problems == []


def test_a_gpu_that_no_worker_reserves_is_a_problem(tmp_path):
    plan = make_plan(on_gpu(tmp_path, [1], worker_gpus=0), Machines(16, 1), calibrate=False)
    assert "engine.worker_gpus is 0, but these need a GPU: transcribe.systems.s0" in plan.problems[0]


def test_workers_reserve_what_their_stages_declare(tmp_path):
    """Nothing is said of CPUs and GPUs: threads and devices of the sections count."""
    plan = make_plan(
        load_config(overrides=["diarize.threads=4", "engine.decode_cpus=0.5"]), Machines(16), calibrate=False
    )
    assert (plan.worker_cpus, plan.worker_gpus, plan.workers) == (3.5, 0.0, 4)
    config = on_gpu(tmp_path, [1024], worker_cpus=None, pools="fused")
    plan = make_plan(config, Machines(16, 2), calibrate=False)
    assert (plan.worker_gpus, plan.workers, plan.problems) == (1.0, 2, [])


@pytest.mark.parametrize(("overrides", "number"), [((), 188_023), (("engine.unit_files=4",), 2_650_000)])
def test_staging_files_of_a_large_corpus(overrides, number):
    """Four files in a unit are 2.5 million of them."""
    assert make_plan(load_config(overrides=overrides), Machines(2), calibrate=False).staging_files == number


def test_sizes_come_from_the_disk_or_are_marked_as_estimates(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.bin").write_bytes(bytes(1000))
    (tmp_path / "sub/b.bin").write_bytes(bytes(24))
    size = model_size(Model(f"path:{tmp_path}", None))
    assert (size.here, size.gib) == (True, 1024 / GIB)
    far = model_size(Model("path:/nowhere", None))
    assert (far.here, far.gib) == (False, None)
    config = load_config(overrides=["diarize.embedding=path:/nowhere"])
    assert "path:/nowhere" in make_plan(config, Machines(2), calibrate=False).notes[0]


def test_packages_carry_a_minute_of_speech_to_calibrate_on():
    assert sum(soundfile.info(path).duration for path in packaged_speech()) == pytest.approx(74, abs=1)


def test_command_without_calibration():
    done = CliRunner().invoke(
        app, ["plan", "--preset", "paper", "--no-calibrate", "--cpus", "32", "--gpus", "2", "--gpu-gib", "48", "--json"]
    )
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    assert values["workers"] == 2
    assert 24 < values["worker_gpu_gib"] < 48, "the GPU nodes of ray_cluster.yaml have 48 GiB"
    devices = {stage["name"]: stage["device"] for stage in values["stages"]}
    assert (devices["decode"], devices["transcribe"], devices["tokenize"]) == ("CPU", "GPU", "GPU")
    assert values["hours_per_1000"] is None


def test_command_calibrates_on_a_recording(tmp_path):
    """Two seconds of noise: no utterance, but every stage up to diarization runs with its models."""
    from tests.support.builds import write_recordings

    folder = write_recordings(tmp_path, ["noise"], seconds=2.0)
    options = ["--sample", str(folder / "noise.wav"), "--set", "tokenize=null", "--cpus", "9", "--gpus", "0"]
    done = CliRunner().invoke(app, ["plan", *options, "--json"])
    assert done.exit_code == 0, done.output
    values = json.loads(done.stdout)
    total = sum(stage["factor"] for stage in values["stages"])
    assert total > 0
    assert values["hours_per_1000"] == pytest.approx(1000 * total / 9)  # 10 workers share 9 CPUs
    assert values["worker_gib"] > 0.1
