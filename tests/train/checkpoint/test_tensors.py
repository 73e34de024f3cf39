"""Files that several processes wrote are read by one; tests/train/test_kill.py has processes write and read them."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from curation.core.errors import DataError
from curation.train.checkpoint.tensors import read, shapes, write
from curation.train.distributed import World

ALONE = World()
WHOLE = {"a": torch.arange(15.0).reshape(5, 3), "b": torch.arange(4.0), "step": torch.tensor(7.0)}


@pytest.fixture
def parts(tmp_path):
    """What torch writes of two processes: `a` in rows 3 and 2, `b` in 2 and 2, what both have once."""
    own = [
        {"a": WHOLE["a"][:3], "b": WHOLE["b"][:2]},
        {"a": WHOLE["a"][3:], "b": WHOLE["b"][2:], "step": WHOLE["step"]},
    ]
    offsets = [{"a": [0, 0], "b": [0]}, {"a": [3, 0], "b": [2], "step": []}]
    files = [tmp_path / f"shard-{number}.safetensors" for number in (1, 2)]
    for file, tensors, places in zip(files, own, offsets, strict=True):
        about = {name: {"saved_offsets": place} for name, place in places.items()}
        save_file({name: one.clone() for name, one in tensors.items()}, file, {"DCP_SHARDING_INFO": json.dumps(about)})
    return files


def empty():
    return {name: torch.full_like(one, -1.0) for name, one in WHOLE.items()}


def test_one_file_and_parts_hold_the_same(parts, tmp_path):
    write(tmp_path / "whole.safetensors", WHOLE, ALONE)
    assert load_file(tmp_path / "whole.safetensors").keys() == WHOLE.keys()
    for files in (parts, [tmp_path / "whole.safetensors"]):
        assert {name: one.shape for name, one in shapes(files).items()} == {n: one.shape for n, one in WHOLE.items()}
        found = empty()
        read(files, found, ALONE)
        assert all(torch.equal(found[name], one) for name, one in WHOLE.items())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("cut off", r"shard-2\.safetensors: cannot be read as safetensors"),
        ("no file", r"shard-2\.safetensors: cannot be read as safetensors"),
        ("a gap", r"a is not whole, of 2 files"),
        ("no places", r"what the files say of their parts is damaged"),
    ],
)
def test_a_damaged_part_is_named_with_the_remedy(parts, damage, message):
    if damage == "cut off":
        parts[1].write_bytes(parts[1].read_bytes()[:40])
    elif damage == "no file":
        parts[1].unlink()
    elif damage == "a gap":
        save_file({"a": WHOLE["a"][4:]}, parts[1], {"DCP_SHARDING_INFO": '{"a": {"saved_offsets": [4, 0]}}'})
    else:
        save_file({"a": WHOLE["a"][3:]}, parts[1], {"DCP_SHARDING_INFO": '{"a": {}}'})
    with pytest.raises(DataError, match=rf"(?s){message}.*remove its folder to go on from the one before"):
        shapes(parts)
