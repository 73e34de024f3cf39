"""The benchmark of pools on a GPU, as far as it runs without one."""

import pytest

from tests.bench.speed.gpu_pools import MODELS, measure, model


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_a_batch_again_and_again(name):
    step = model(name, tiny=True)
    step()


def test_batches_go_through_a_chain_of_processes():
    assert measure("front and back", [(["front"], 2), (["back"], 1)], seconds=0.2, tiny=True) > 0
