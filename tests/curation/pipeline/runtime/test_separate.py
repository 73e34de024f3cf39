"""Pools of their own on Ray: whatever dies in one of them, and whatever is lost between them, the rows are the same."""

import os
from pathlib import Path

import psutil
import pytest
import ray
from ray.cluster_utils import Cluster

from curation.core.storage import Storage
from curation.manifests.runs import read_runs
from curation.pipeline.run import build
from tests.support.builds import rows, table, toy_build, toy_config, write_recordings
from tests.support.faults.lethal import PLACES, hungry_stages, lethal_stages, piling_stages

pytestmark = pytest.mark.slow
INNOCENT = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"]
DEAD_AFTER = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 8}
FOLDERS = ("staging", "ledger", "shards")


@pytest.fixture
def start():
    """Starts a cluster on this machine, and ends it."""
    made = []

    def started(settings=None, **head):
        options = {"include_dashboard": False, "_system_config": {**DEAD_AFTER, **(settings or {})}, **head}
        made.append(Cluster(initialize_head=True, head_node_args=options))
        return made[0]

    yield started
    ray.shutdown()
    for cluster in made:
        cluster.shutdown()


def separate(cluster, last_gpus=0, **engine):
    """Settings for pools of their own that take next to nothing, the last one a GPU or none."""
    pools = [f"{name}: {{cpus: 0.2}}" for name in PLACES[1:-1]]
    pools.append(f"{PLACES[-1]}: {{cpus: 0.2, gpus: {last_gpus}}}")
    settings = "{" + ", ".join(pools) + "}"
    return toy_config("ray", address=cluster.address, pools="separate", pool_settings=settings, **engine)


def kept(out, names):
    return [row for row in rows(out, "shards") if Path(row["path"]).stem in names]


def test_poison_in_each_pool_costs_one_row(start, tmp_path, monkeypatch):
    monkeypatch.setenv("LETHAL_DRIVER", str(os.getpid()))
    poison = [f"kill-{place}" for place in PLACES]
    source = write_recordings(tmp_path / "in", [*INNOCENT, *poison])
    config = separate(start(num_cpus=4))
    build(config, [f"lethal://{source}"], str(tmp_path / "out"), make_stages=lethal_stages)
    failed = {
        Path(row["path"]).stem: (row["reason"], row["detail"])
        for row in rows(tmp_path / "out", "ledger")
        if row["status"] == "failed"
    }
    where = {place: f"in stage {'choir' if place in {'mid', 'high', 'low'} else place}" for place in PLACES[1:]}
    assert sorted(failed) == sorted(poison)
    for place in PLACES:
        reason, detail = failed[f"kill-{place}"]
        assert reason == ("decode" if place == "decode" else "worker")
        assert "worker process died" in detail
        assert detail.endswith(where.get(place, "in decode"))
    write_recordings(tmp_path / "innocent", INNOCENT)
    toy_build(tmp_path / "innocent", tmp_path / "expected", make_stages=lethal_stages)
    mine, expected = (
        [{**row, "path": "", "id": "", "recording_id": ""} for row in kept(tmp_path / name, INNOCENT)]
        for name in ("out", "expected")
    )
    assert len(mine) > 10
    assert mine == expected


def test_audio_that_is_lost_with_its_node_is_decoded_again(start, tmp_path):
    """The last pool is on the head, and slow; all before it is on another node, which has the audio that waits."""
    cluster = start(num_cpus=2, num_gpus=1)
    other = cluster.add_node(num_cpus=8)
    source = write_recordings(tmp_path / "in", [f"r{number:02d}" for number in range(16)])
    done = []

    def lose_the_node(progress):
        if progress.step == "label" and progress.audio_seconds and not done:
            done.append(progress)
            cluster.remove_node(other, allow_graceful=False)

    config = separate(cluster, last_gpus=1, batch_seconds=6)
    toy_build(source, tmp_path / "out", config, make_stages=piling_stages, on_progress=lose_the_node)
    (run,) = read_runs(Storage(str(tmp_path / "out")))
    assert run.pools["back"].retries > 0, "nothing was lost that waited for the last pool"
    toy_build(source, tmp_path / "expected", make_stages=piling_stages)
    for folder in FOLDERS:
        assert table(tmp_path / "out", folder).equals(table(tmp_path / "expected", folder))


def test_a_kill_for_want_of_memory_is_blamed_on_nobody(start, tmp_path):
    """Ray's limit is a little above what the machine uses now, and the stage takes more than that, once."""
    memory = psutil.virtual_memory()
    threshold = 1 - (memory.available - 2.5 * 2**30) / memory.total
    cluster = start({"memory_usage_threshold": threshold, "memory_monitor_refresh_ms": 200}, num_cpus=2)
    source = write_recordings(tmp_path / "in", ["alpha", "hungry", "beta"])
    config = toy_config("ray", address=cluster.address, batch_seconds=60, max_worker_gib=20, workers=1)
    toy_build(source, tmp_path / "out", config, make_stages=hungry_stages)
    assert (tmp_path / "fed").exists()
    (run,) = read_runs(Storage(str(tmp_path / "out")))
    assert run.pools["label"].retries == 1
    assert (tmp_path / "calls").read_text().split() == ["3", "3"]  # together again, not one by one
    toy_build(source, tmp_path / "expected", make_stages=hungry_stages)
    for folder in FOLDERS:
        assert table(tmp_path / "out", folder).equals(table(tmp_path / "expected", folder))
