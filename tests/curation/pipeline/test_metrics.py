"""Live figures: what Prometheus reads while a build runs, and whether it adds up to what the build says at its end."""

import re
import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from curation.core.errors import ConfigError
from curation.core.timing import StageTimes
from curation.manifests.runs import PoolTimes
from curation.manifests.staging import BatchName
from curation.pipeline.job import BatchLabelled, PoolLoad, Progress
from curation.pipeline.metrics import FAMILIES, served
from tests.support.builds import rows, toy_build, toy_config, write_recordings

PAGE = Path(__file__).parents[3] / "docs/how-to/watch-a-build.md"


@pytest.fixture
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def scraped(port):
    """Every sample by its name and the values of its labels, these in the order of the labels' names."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        (item.name, *(value for _, value in sorted(item.labels.items()))): item.value
        for family in families
        for item in family.samples
    }


def by_label(found, name):
    return {tuple(labels): value for (key, *labels), value in found.items() if key == name}


def test_figures_of_a_build_are_those_of_its_ledger_and_summary(tmp_path, port):
    folder = write_recordings(tmp_path / "in", [*(f"good{number}" for number in range(6)), "raise"])
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE this is no audio")
    seen = []

    def look(progress):
        seen.append((progress, scraped(port)))

    summary = toy_build(folder, tmp_path / "out", metrics=str(port), on_progress=look)
    for progress, found in seen:
        assert found["curation_tasks_total", progress.step] == progress.done
        assert found["curation_tasks_planned", progress.step] == progress.total
        if progress.step in {"label", "judge"}:  # what the verdicts are is not known yet
            assert not by_label(found, "curation_ledger_seconds")
    assert not by_label(seen[0][1], "curation_last_commit_timestamp_seconds")
    last = seen[-1][1]
    ledger = {}
    for row in rows(tmp_path / "out", "ledger"):
        key = row["reason"] or "", row["status"]
        ledger[key] = ledger.get(key, 0.0) + row["seconds"]
    assert len(ledger) > 4
    assert by_label(last, "curation_ledger_seconds") == pytest.approx(ledger)
    lines = {(line.reason, line.status): line.seconds for line in summary.lines}
    assert by_label(last, "curation_ledger_seconds") == pytest.approx(lines)
    stages = {(name,): seconds for name, seconds in summary.timing.label.stages.items()}
    assert by_label(last, "curation_stage_seconds_total") == pytest.approx(stages)
    errors = {(name,): rate.errors for name, rate in summary.errors.items()}
    assert by_label(last, "curation_errors_total") == errors
    assert sum(errors.values()) == 1
    spans = rows(tmp_path / "out", "staging")
    assert last["curation_spans_total", "failed"] == 2
    assert last["curation_spans_total", "labelled"] == len(spans) - 2
    assert last[("curation_batches_total",)] == len(list((tmp_path / "out/staging").iterdir()))
    assert summary.timing.runs[0].started < last["curation_last_commit_timestamp_seconds", "shards"]
    with pytest.raises(OSError, match="refused"):
        scraped(port)


@pytest.mark.slow
def test_a_build_on_ray_shows_its_pools_and_its_dashboard(tmp_path, port, caplog):
    folder = write_recordings(tmp_path / "in", [f"good{number}" for number in range(8)])
    seen, pages = [], []

    def look(progress):
        if progress.step == "label" and progress.audio_seconds:
            seen.append(scraped(port))
            (address,) = re.findall(r"Ray's dashboard: (http://\S+)", caplog.text)
            with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - an address that starts with http
                pages.append(answer.read())

    config = toy_config("ray", workers=1, dashboard=True)
    summary = toy_build(folder, tmp_path / "out", config, metrics=str(port), on_progress=look)
    assert all(b"Ray Dashboard" in page for page in pages)
    assert set(by_label(seen[-1], "curation_pool_workers")) == {("decode",), ("label",)}
    assert max(found["curation_pool_workers", "label"] for found in seen) == 1
    assert max(found["curation_pool_running", "label"] for found in seen) >= 1
    recorded = summary.timing.runs[0].pools["label"]
    assert 0 < seen[-1]["curation_pool_seconds_total", "label", "busy"] <= recorded.busy
    assert seen[-1]["curation_pool_retries_total", "label"] == recorded.retries == 0


def test_pools_and_stages_add_up(port):
    times = StageTimes({"cut": 1.5}, {"m": 1.0})
    batch = BatchLabelled(name=BatchName(0, 0, last=True), recordings=3, failed=1, times=times)
    with served(str(port)) as figures:
        figures.pool_times = lambda: {"asr": PoolTimes(2, 4.0, 2.0, 1.0, 5)}
        figures.pool_loads = lambda: {"asr": PoolLoad(2, 3, 7)}
        for number in (1, 2):
            figures.add(Progress("label", number, 4, 10.0 * number), batch)
        found = scraped(port)
    assert by_label(found, "curation_pool_seconds_total") == {
        ("asr", "busy"): 4.0,
        ("asr", "waiting"): 2.0,
        ("asr", "blocked"): 1.0,
    }
    loads = [found[f"curation_pool_{name}", "asr"] for name in ("workers", "running", "queued", "retries_total")]
    assert loads == [2, 3, 7, 5]
    assert (found["curation_stage_seconds_total", "cut"], found["curation_model_seconds_total", "m"]) == (3.0, 2.0)
    assert (found[("curation_batches_total",)], found["curation_audio_seconds_total", "label"]) == (2, 20.0)


def test_an_address_that_cannot_be_used_is_an_error_before_any_work(tmp_path, port):
    folder = write_recordings(tmp_path / "in", ["a"])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        for address in (str(port), "http", "127.0.0.1:", "70000", "no.such.host.invalid:9400"):
            with pytest.raises(ConfigError, match=re.escape(f"--metrics {address}: figures cannot be served there")):
                toy_build(folder, tmp_path / "out", toy_config(), metrics=address)
    assert not (tmp_path / "out").exists()


def test_only_this_machine_can_ask_unless_an_address_is_given(port):
    with served(str(port)), socket.socket() as beside:
        beside.bind(("127.0.0.2", port))  # would fail if all addresses were taken
    with served(f"[::1]:{port}"), urllib.request.urlopen(f"http://[::1]:{port}/metrics", timeout=20) as answer:
        assert answer.status == 200


def test_the_page_lists_every_figure():
    assert re.findall(r"^\| `(curation_\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE) == [
        family.name for family in FAMILIES
    ]
