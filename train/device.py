"""What depends on the device: copies that nothing waits for, precision of layers, logits held at once."""

from collections.abc import Callable

import torch

CPU = torch.device("cpu")
LOGIT_BYTES = 8
"""Of a logit while its loss and slope are computed: in bfloat16 before and after, in float32 between."""
GPU_SHARE = 1 / 16
"""Of a GPU's memory, for logits."""
GPU_MOST = 2**28
CPU_LOGITS = 2**23
"""Fewer, and the gradient of a large vocabulary is read and written too often; more, and caches are too small for it
(docs/results/2026-11-27-training-steps.md)."""


def logits_at_once(device: torch.device) -> int:
    """Logits that are held at a time: on a GPU a share of its memory, so that a row takes few rounds."""
    if device.type != "cuda":
        return CPU_LOGITS
    memory = torch.cuda.get_device_properties(device).total_memory
    return min(GPU_MOST, int(memory * GPU_SHARE / LOGIT_BYTES))


def in_bfloat16(device: torch.device, precision: str) -> bool:
    """Whether layers compute in bfloat16 with this `run.precision`; auto: on a GPU only."""
    return precision == "bfloat16" or (precision == "auto" and device.type == "cuda")


def send(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host on a device. A GPU fetches it from pinned memory, in order with its work; nothing waits."""
    if device.type != "cuda":
        return tensor.to(device)
    with torch.cuda.device(device):  # of this thread, whose memory it would else pin on the first GPU
        return tensor.pin_memory().to(device, non_blocking=True)


def read_later(values: torch.Tensor) -> Callable[[], list[float]]:
    """Begin to copy values, (n,), to the host. The call of what is given back waits for them, and not for what the GPU
    was given to do since.
    """
    if not values.is_cuda:
        return values.tolist
    copy = torch.empty_like(values, device="cpu", pin_memory=True).copy_(values, non_blocking=True)
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]
    done.record(torch.cuda.current_stream(values.device))

    def read() -> list[float]:
        done.synchronize()
        return copy.tolist()

    return read
