"""Losses by task: means over answer tokens, not over samples or rows."""

import pytest
import torch

from curation.train.distributed import World
from curation.train.loop.losses import LossSums, autocast, next_rows
from tests.support.streams import ToyLoader, toy_speech

ALONE, CPU = World(), torch.device("cpu")


def rows(count):
    loader = ToyLoader(toy_speech().vocabulary)
    return [loader.row(number) for number in range(count)]


def test_means_weigh_each_answer_token_alike_over_all_rows():
    sums, every = LossSums.on(CPU), {}
    for number, row in enumerate(rows(4)):
        losses = torch.rand(len(row.answer_samples), generator=torch.Generator().manual_seed(number))
        sums.add(row, losses)
        for sample, loss in zip(row.answer_samples.tolist(), losses.tolist(), strict=True):
            every.setdefault(row.tasks[sample], []).append(loss)
    means = sums.means(ALONE)
    assert means == pytest.approx({task: sum(found) / len(found) for task, found in every.items()})
    assert set(means) == {"asr", "tts", "vc"}


def test_a_task_without_an_answer_has_no_mean():
    (row,) = rows(1)
    row.tasks = ["tts"] * len(row.tasks)
    sums = LossSums.on(CPU)
    sums.add(row, torch.ones(len(row.answer_samples)))
    assert sums.means(ALONE) == {"tts": pytest.approx(1.0)}


def test_each_sample_is_kept_with_its_mean_loss():
    (row,) = rows(1)
    losses = torch.where(row.answer_samples == 2, 5.0, 1.0)
    sums = LossSums.on(CPU)
    sums.add(row, losses)
    worst = sums.worst()
    assert [key for _, key in worst] == row.keys
    assert [loss for loss, _ in worst] == pytest.approx([1.0, 1.0, 5.0, 1.0])


def test_rows_that_are_too_few_for_a_step_are_left():
    stream = iter(rows(5))
    assert len(next_rows(stream, 2, ALONE)) == 2
    assert len(next_rows(stream, 2, ALONE)) == 2
    assert next_rows(stream, 2, ALONE) is None


@pytest.mark.parametrize(
    ("precision", "kind"), [("auto", torch.float32), ("float32", torch.float32), ("bfloat16", torch.bfloat16)]
)
def test_layers_run_in_the_precision_that_is_asked_for(precision, kind):
    layer, x = torch.nn.Linear(3, 3), torch.ones(1, 3)
    with autocast(torch.device("cpu"), precision):
        assert layer(x).dtype == kind
