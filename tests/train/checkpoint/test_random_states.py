import json
import random

import numpy as np
import torch

from curation.core.records import typed
from curation.train.checkpoint.random_states import RandomState, plain_states, restore, torch_states


def draw():
    return random.random(), float(np.random.random()), float(torch.rand(()))  # noqa: NPY002, S311


def test_all_generators_go_on_where_they_were():
    draw()
    tensors = {f"{kind}/1": state for kind, state in torch_states().items()}
    plain = json.loads(json.dumps(plain_states()))
    first = draw()
    restore(tensors, typed(RandomState, plain), rank=1)
    assert draw() == first
