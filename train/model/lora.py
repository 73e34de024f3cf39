"""Low-rank adapters (LoRA, Hu et al. 2021, equation 3) of the layers' matrices, through peft.

A matrix W is left as it is, and a product of two narrow ones is learned beside it: W + (alpha / rank) B A. What is
published is the sum, a plain checkpoint; the adapters are kept beside it for resuming.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from curation.core.errors import ConfigError
from curation.models.torch_compat import import_torchaudio

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
NAME = "default"
"""Of the adapter, in the names of its parameters."""
Tensors = dict[str, torch.Tensor]


def add_adapters(model: nn.Module, rank: int, alpha: float, dropout: float, seed: int) -> None:
    """Put adapters beside all matrices of the layers, in place, and freeze everything else.

    B is zero, so that the model says what it said before. Raises ConfigError where peft is missing.
    """
    import_torchaudio()  # transformers imports it, which peft imports, and fails where it cannot be loaded
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError as error:
        msg = "lora.rank needs the package peft: pip install 'curation[lora]'"
        raise ConfigError(msg) from error
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=list(MATRICES))  # type: ignore[arg-type]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # the same on every process
        inject_adapter_in_model(config, model, adapter_name=NAME)


@contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """The model that the adapters are put beside."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [part for part in model.modules() if isinstance(part, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(enabled=False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(enabled=True)


def merged(weights: Mapping[str, torch.Tensor], scale: float) -> Tensors:
    """Weights of a model with adapters (parameter name -> tensor), as one without has them; `scale` is alpha / rank."""
    plain: Tensors = {}
    for name, weight in weights.items():
        if ".lora_" in name:
            continue
        layer, _, end = name.rpartition(".base_layer.")
        if not layer:
            plain[name] = weight
            continue
        first, second = (weights[f"{layer}.lora_{part}.{NAME}.weight"] for part in "AB")
        plain[f"{layer}.{end}"] = (weight + scale * (second.float() @ first.float())).to(weight.dtype)
    return plain
