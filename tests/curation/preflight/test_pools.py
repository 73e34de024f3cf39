"""The pools that `curation plan` shows: where there are GPUs and room, with the slowest where the speed is known."""

import pytest

from curation.core.errors import ConfigError
from curation.pipeline.assemble import build_stages
from curation.pipeline.config import load_config
from curation.pipeline.workers.operators import operators
from curation.pipeline.workers.sizing import Node
from curation.preflight.estimate import Machines, make_plan, needed_gib
from curation.preflight.pools import audio_per_second, factors_of, plan_pools


def pools(machines, *overrides, preset="offline"):
    return make_plan(load_config(preset=preset, overrides=overrides), machines, calibrate=False)


def by_name(plan):
    return {pool.name: pool for pool in plan.pools}


def test_without_gpus_every_worker_has_all_models():
    assert pools(Machines(16)).pools == []
    assert pools(Machines(16, 1)).pools == []


def test_with_gpus_and_room_each_system_has_a_pool():
    plan = pools(Machines(32, 8, gpu_gib=48), preset="paper")
    assert by_name(plan)["whisper-large-v3"].gpus == 1
    assert by_name(plan)["denoise"].gpus == 0
    assert by_name(plan)["consensus+punctuate"].stages == ["transcribe", "consensus", "punctuate"]
    assert (plan.problems, plan.workers) == ([], len(plan.pools))
    assert pools(Machines(32, 2, gpu_gib=48), preset="paper").pools == []  # no room for all of them
    for setting in ("pools=fused", "worker_gpus=1", "worker_cpus=8"):
        assert pools(Machines(32, 8), f"engine.{setting}", preset="paper").pools == []


def test_memory_is_that_of_each_pool():
    """Not that of a worker with all models, as often as there are workers."""
    plan = pools(Machines(32), "engine.pools=separate")
    every = make_plan(load_config(), Machines(32), calibrate=False).declared_gib
    plan.worker_gib = every
    assert needed_gib(plan) == sum(pool.workers * pool.memory_gib for pool in plan.pools)
    assert needed_gib(plan) < plan.workers * every


def test_pools_that_do_not_fit_are_a_problem_that_names_one():
    plan = pools(Machines(4), "engine.pools=separate")
    assert plan.problems[0].startswith("no room for the pool ")
    assert "engine.pool_settings" in plan.problems[0]


def test_settings_of_a_pool():
    plan = pools(
        Machines(32, 2, gpu_gib=48),
        "engine.pools=separate",
        "engine.pool_settings={whisper-tiny.en: {workers: 3, cpus: 2}, whisper-base: {gpus: 0.4}}",
    )
    assert (by_name(plan)["whisper-tiny.en"].workers, by_name(plan)["whisper-tiny.en"].cpus) == (3, 2)
    assert by_name(plan)["whisper-base"].gpus == 0.5
    with pytest.raises(ConfigError, match=r"no pool 'whisper': expected one of decode, .*whisper-base"):
        pools(Machines(32), "engine.pools=separate", "engine.pool_settings={whisper: {workers: 3}}")


def test_models_of_workers_that_share_a_gpu_must_fit_it():
    settings = ["engine.pools=separate", "engine.pool_settings={whisper-large-v3: {gpus: 0.25}}"]
    assert pools(Machines(32, 8, gpu_gib=48), *settings, preset="paper").problems == []
    (problem,) = pools(Machines(32, 8, gpu_gib=8), *settings, preset="paper").problems[:1]
    assert problem.startswith("4 workers of the pool whisper-large-v3 on a GPU need about")


def test_the_slowest_pool_follows_from_the_speeds():
    config = load_config(overrides=["engine.pools=separate"])
    levels = operators(config, build_stages(config))
    stages = {"decode": 0.001, "denoise": 0.1, "diarize": 0.1, "transcribe": 0.6, "consensus": 0.01, "punctuate": 0.02}
    models = {"transcribe.whisper-base": 0.4, "transcribe.moonshine-tiny": 0.1, "transcribe.whisper-tiny.en": 0.1}
    factors = factors_of(levels, stages, models)
    assert factors == pytest.approx(
        {
            "decode": 0.001,
            "denoise+diarize+quality": 0.2,
            "whisper-base": 0.4,
            "moonshine-tiny": 0.1,
            "whisper-tiny.en": 0.1,
            "consensus+punctuate": 0.03,
        }
    )
    planned, problem, slowest = plan_pools(config, levels, Node(12), factors)
    sizes = {pool.name: pool.workers for pool in planned}
    assert (problem, slowest) == ("", "whisper-base")
    assert (sizes["whisper-base"], sizes["denoise+diarize+quality"], sizes["moonshine-tiny"]) == (4, 3, 1)
    assert audio_per_second(planned) == pytest.approx(10)
