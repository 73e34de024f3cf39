"""How many CPU threads torch has while a test runs a model."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.modules.module import register_module_forward_pre_hook

CALLERS = 3


@contextmanager
def threads_inside() -> Iterator[set[int]]:
    """The numbers with which torch's modules run inside the block; the caller has 3, and keeps them."""
    before, found = torch.get_num_threads(), set[int]()
    torch.set_num_threads(CALLERS)
    hook = register_module_forward_pre_hook(lambda *_: found.add(torch.get_num_threads()))
    try:
        yield found
        assert torch.get_num_threads() == CALLERS
    finally:
        hook.remove()
        torch.set_num_threads(before)
