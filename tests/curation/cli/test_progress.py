"""Progress on a terminal and in a log."""

import io

import pytest
from rich.console import Console

from curation.cli import progress as shown
from curation.pipeline.job import Progress
from curation.train.loop.metrics import StepMetrics


def console(width=100):
    """A log, so many columns wide."""
    return Console(file=io.StringIO(), width=width, force_terminal=False)


def metrics(step, validation=None):
    fixed = {"learning_rate": 1e-3, "grad_norm": 1.0, "tokens": 9, "answer_tokens": 9, "packing": 1.0, "wait": 0.0}
    losses = {"asr": 2.0, "tts": 3.0}
    return StepMetrics(
        step=step, loss=2.5, losses=losses, tokens_per_second=1234.5, peak_gib=1.0, validation=validation, **fixed
    )


def test_each_step_of_a_build_has_a_bar_that_counts_what_is_done():
    out = console()
    with shown.BuildProgress(out) as progress:
        for step, done in (("label", 0), ("label", 3), ("shards", 1)):
            progress.on_progress(Progress(step, done, 4, audio_seconds=75.0 if step == "label" else 0.0))
    labelling, shards = out.file.getvalue().splitlines()
    assert labelling.startswith("labelling")
    assert "3/4" in labelling
    assert "1 min 15 s of audio" in labelling
    assert shards.startswith("writing shards")
    assert "1/4" in shards
    assert "audio" not in shards


@pytest.mark.parametrize(("seconds", "lines"), [(-1.0, ["features: 25% done", "features: 50% done"]), (3600.0, [])])
def test_a_log_gets_a_line_now_and_then(monkeypatch, seconds, lines):
    monkeypatch.setattr(shown, "LOG_SECONDS", seconds)
    out = console()
    with shown.FitProgress(out) as progress:
        for fraction in (0.25, 0.5):
            progress.on_step("features", fraction)
    *told, bar = out.file.getvalue().splitlines()
    assert told == lines
    assert "50 %" in bar


def test_training_shows_losses_and_prints_validation_at_once():
    out = console()
    with shown.TrainProgress(out, 10) as progress:
        progress.on_step(metrics(4))
        progress.on_step(metrics(5, validation={"asr": 1.5}))
    told = out.file.getvalue()
    assert "step 5: loss on run.validation asr 1.500" in told
    assert "5/10" in told
    assert "loss 2.500 (asr 2.000 tts 3.000), 1,234 tokens/s" in " ".join(told.split())


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_numbers_of_a_training_are_never_cut(width):
    out = console(width)
    with shown.TrainProgress(out, 200_000) as progress:
        one = metrics(123_456)
        one.losses["vc"] = 4.0
        progress.on_step(one)
    told = out.file.getvalue()
    assert "…" not in told
    for word in ("123456/200000", "left", "-:--:--", "(asr", "4.000),", "1,234", "tokens/s"):
        assert word in told.split()
    assert ("━" in told) == (width >= 120)


def test_a_process_that_reports_nothing_shows_nothing():
    out = console()
    with shown.TrainProgress(out, 10):
        pass
    assert out.file.getvalue().strip() == ""
