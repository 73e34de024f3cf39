"""How busy one GPU is with two speech models: in one process after CPU work (fused), and in processes of their own.

    python -m tests.bench.speed.gpu_pools --minutes 4

Needs torch with CUDA and transformers, and nothing from the network: random weights in the sizes of Whisper large-v3
and of the speech encoder of SeamlessM4T v2 large. The CPU stages around them sleep. No stage of `curation` runs: it is
about what pools can gain on a GPU. Busy is what nvidia-smi calls utilization: the share of time in which a kernel ran.

Not run on a GPU yet: `--tiny` and its test run it on a CPU, with models of one layer.
"""

import argparse
import importlib.util
import multiprocessing as mp
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from curation.models.torch_compat import import_torchaudio

UTTERANCES, TOKENS = 10, 48
"""Of 30 s in a batch, and tokens that Whisper writes for each."""
CPU_SECONDS = {"front": 2.0, "back": 0.4}
"""That the stages before and after the models take for a batch on a core."""
SMI = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "100"]


def whisper(tiny: bool) -> Callable[[], None]:
    """Transcribes a batch."""
    import torch
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    width, layers = (64, 1) if tiny else (1280, 32)
    config = WhisperConfig(
        vocab_size=51866,
        num_mel_bins=128,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=width // 64,
        decoder_attention_heads=width // 64,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        d_model=width,
    )
    model, device, dtype = _placed(lambda: WhisperForConditionalGeneration(config), tiny)
    features = torch.randn(UTTERANCES, 128, 3000, device=device, dtype=dtype)

    def run() -> None:
        tokens, cache = torch.full((UTTERANCES, 1), 50258, device=device), None
        encoded = model.model.encoder(features)
        for _ in range(2 if tiny else TOKENS):
            out = model(encoder_outputs=encoded, decoder_input_ids=tokens, past_key_values=cache, use_cache=True)
            cache, tokens = out.past_key_values, out.logits[:, -1:].argmax(-1)

    return run


def encoder(tiny: bool) -> Callable[[], None]:
    """Encodes a batch."""
    import torch
    from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

    small = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 128}
    config = Wav2Vec2BertConfig(**(small if tiny else {}))
    model, device, dtype = _placed(lambda: Wav2Vec2BertModel(config), tiny)
    features = torch.randn(UTTERANCES, 1500, 160, device=device, dtype=dtype)
    return lambda: model(input_features=features)


def _placed(make: Callable[[], Any], tiny: bool) -> tuple[Any, str, Any]:
    import torch

    device, dtype = ("cpu", torch.float32) if tiny else ("cuda", torch.float16)
    with torch.device(device):
        return make().to(dtype).eval(), device, dtype


MODELS = {"whisper": whisper, "encoder": encoder}


def model(name: str, tiny: bool) -> Callable[[], None]:
    """What a model does with a batch, once it is loaded and warm; it returns when the GPU is done."""
    import torch

    if importlib.util.find_spec("torchaudio"):  # transformers imports it, whether it fits torch or not
        import_torchaudio()
    run = MODELS[name](tiny)

    def step() -> None:
        with torch.inference_mode():
            run()
        if not tiny:
            torch.cuda.synchronize()

    step()
    return step


def part(names: list[str], tiny: bool, source: Any, target: Any, ready: Any) -> None:
    """A process: what it takes from a queue goes through its parts into the next queue."""
    steps = [
        model(name, tiny) if name in MODELS else partial(time.sleep, CPU_SECONDS[name] / (100 if tiny else 1))
        for name in names
    ]
    ready.release()
    while True:
        batch = source.get()
        for step in steps:
            step()
        target.put(batch)


@contextmanager
def sampled() -> Iterator[list[int]]:
    """Utilization of the GPU, in per cent, ten times a second; it is there after the block."""
    samples: list[int] = []
    if shutil.which(SMI[0]) is None:
        yield samples
        return
    watch = subprocess.Popen(SMI, stdout=subprocess.PIPE, text=True)
    yield samples
    watch.terminate()
    samples += [int(line) for line in watch.communicate()[0].splitlines() if line.strip().isdecimal()]


def measure(what: str, chain: list[tuple[list[str], int]], seconds: float, *, tiny: bool) -> float:
    """Batches in a second through a chain of pools: the parts of each, and how many processes it has."""
    context = mp.get_context("spawn")
    ready = context.Semaphore(0)
    queues = [context.Queue(), *(context.Queue(maxsize=4) for _ in chain[:-1]), context.Queue()]
    processes = [
        context.Process(target=part, args=(names, tiny, queues[place], queues[place + 1], ready), daemon=True)
        for place, (names, count) in enumerate(chain)
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for _ in processes:
        while not ready.acquire(timeout=1):
            if not all(process.is_alive() for process in processes):
                sys.exit(f"{what}: a process ended")
    for batch in range(3 * len(processes)):
        queues[0].put(batch)
    for _ in range(len(processes)):  # until the chain is full
        queues[0].put(queues[-1].get())
    done, start = 0, time.perf_counter()
    with sampled() as samples:
        while time.perf_counter() - start < seconds:
            queues[0].put(queues[-1].get())
            done += 1
    rate = done / (time.perf_counter() - start)
    for process in processes:
        process.kill()
        process.join()
    busy = f"{sum(samples) / len(samples):.0f} %" if samples else "not measured"
    print(f"{what}: {rate:.2f} batches/s, GPU busy: {busy}", flush=True)
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4.0, help="for both ways, loading left out")
    parser.add_argument("--fronts", type=int, default=6, help="processes for the CPU stages before the models")
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU, to try the script")
    arguments = parser.parse_args()
    seconds = arguments.minutes * 30
    import torch

    if not arguments.tiny and not torch.cuda.is_available():
        sys.exit("there is no GPU here: --tiny tries the script on the CPU")
    fused = measure("fused", [(["front", "whisper", "encoder", "back"], 1)], seconds, tiny=arguments.tiny)
    chain = [(["front"], arguments.fronts), (["whisper"], 1), (["encoder"], 1), (["back"], 2)]
    pools = measure("pools", chain, seconds, tiny=arguments.tiny)
    print(f"pools / fused: {pools / fused:.1f}")


if __name__ == "__main__":
    main()
