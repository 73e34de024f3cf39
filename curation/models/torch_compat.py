"""Makes torchaudio importable next to a CPU build of torch.

The registry's torchaudio wheel is built for CUDA, and its import fails where torch brings no CUDA libraries.
pyannote.audio and NeMo use only its Python code, so a stub of the module that loads the compiled library is enough. It
is installed only where torch is a CPU build and the plain import has failed.

    from curation.models.torch_compat import import_torchaudio
    import_torchaudio()
"""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType

EXTENSION = "torchaudio._extension"


def import_torchaudio() -> ModuleType:
    """Import torchaudio, with the stub where its compiled part cannot load. Raises the error of the import where torch
    is built for CUDA, because there a failure is a broken installation.
    """
    import torch

    try:
        return importlib.import_module("torchaudio")
    except (ImportError, OSError):
        if torch.version.cuda is not None:
            raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
        del sys.modules[name]  # leftovers of the failed import
    sys.modules[EXTENSION] = _stub()
    return importlib.import_module("torchaudio")


def _stub() -> ModuleType:
    """The names that torchaudio's Python code takes from its extension loader, saying that there is none."""
    names: dict[str, object] = {
        "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
        "_IS_ALIGN_AVAILABLE": False,
        "_check_cuda_version": lambda: None,
        "fail_if_no_align": _unchanged,
    }
    module = ModuleType(EXTENSION)
    module.__dict__.update(names)
    return module


def _unchanged(function: Callable[..., object]) -> Callable[..., object]:
    return function
