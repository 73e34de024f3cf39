"""A process alone needs no group; `test_kill` trains with several."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from torch import nn

from curation.core.errors import ConfigError
from curation.train.distributed import World, distribute, full_tensor, join_world, local, reshard, synchronised


def test_a_process_alone_is_its_whole_world():
    with join_world("cpu") as world:
        assert world == World(0, 1, torch.device("cpu"))
    assert world.first
    assert not World(rank=1, size=2).first
    assert world.gather({"rows": 3}) == [{"rows": 3}]
    assert world.sum(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]
    world.wait()


@pytest.mark.parametrize("kind", ["ddp", "fsdp2"])
def test_a_model_of_one_process_stays_as_it_is(kind):
    module = nn.Sequential(nn.Linear(2, 2))
    assert distribute(module, nn.ModuleList(module), kind, World()) is module
    with synchronised(module, last=False):
        module(torch.ones(1, 2)).sum().backward()
    reshard(module)
    weight = module[0].weight
    assert full_tensor(weight) is local(weight) is weight


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_mistake_of_the_user():
    with pytest.raises(ConfigError, match=r"run\.device=cuda: PyTorch finds no GPU here"), join_world("cuda"):
        pass
    with join_world("auto") as world:
        assert world.device.type == "cpu"


PARTING = """
import weakref
from torch import distributed, nn
from curation.core.errors import DataError
from curation.train.distributed import distribute, join_world

destroy = distributed.destroy_process_group
made = []

def parted():
    print("models left:", sum(one() is not None for one in made), flush=True)
    destroy()

distributed.destroy_process_group = parted

def train(world):
    model = distribute(nn.Linear(2, 2), nn.ModuleList(), "ddp", world)
    made.append(weakref.ref(model))
    raise DataError("a row")

try:
    with join_world("cpu") as world:
        train(world)
except DataError as error:
    print(error)
"""


@pytest.mark.slow  # two processes; that of one is in test_run.py
def test_no_model_is_left_where_processes_part_after_an_error(tmp_path):
    """Its C++ part would be the last to hold the group, and end it with Python's lock held."""
    program = tmp_path / "parting.py"
    program.write_text(PARTING)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    world = {**os.environ, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, str(program)]
    both = [subprocess.Popen(command, env={**world, "RANK": rank}, stdout=subprocess.PIPE, text=True) for rank in "01"]
    assert [one.communicate(timeout=120)[0] for one in both] == ["models left: 0\na row\n"] * 2
