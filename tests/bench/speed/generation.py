"""Generation against the library's `generate`, and how near it comes to the memory's bandwidth.

    python -m tests.bench.speed.generation [--model 0.3b|tiny] [--threads 1] [--tokens 48] [--repeats 3] [--busy]
    python -m tests.bench.speed.generation --device cuda --dtype bfloat16 --batches 1 16 40 --tokens 200

Random weights at the size of GPA's 0.3B (or a tiny one). Prompts of different lengths, padded for the library and not
for us; greedy; both choose among the 8,192 ids of speech, and must choose the same (with weights in 8 bits, on a CPU,
that is not asked). Each figure is the best of the repeats, which alternate between the programs. The bandwidth is that
of reading 1 GiB, measured between the repeats. `--busy` keeps a core occupied meanwhile; `--longest` shortens the
prompts, which take most of the time on a CPU. On a GPU, `call by call` is the engine without steps of fixed shapes, and
torch's profiler counts the calls of a step and the time of its kernels.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from safetensors.torch import load_file

from curation.models.torch_compat import import_torchaudio
from curation.train.infer.backends.base import Request
from curation.train.infer.engine import Engine
from curation.train.infer.qwen3 import Qwen3Decoder
from curation.train.infer.sampling import Allowed
from curation.train.infer.weights import Sizes
from tests.bench.speed.busy import busy_core
from tests.support.checkpoints.speech import GPA, TINY, random_qwen3

MODELS = {"0.3b": (180_445, GPA), "tiny": (12_000, TINY)}
SPEECH = 8192
LOGITS = {"speech ids only": lambda size: range(size - SPEECH, size), "all ids": range}


def prompts(count, size, longest=200):
    rng = np.random.default_rng(0)
    return [rng.integers(0, size, length).astype(np.int32) for length in rng.integers(longest // 5, longest, count)]


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def bandwidth(device):
    """Bytes a second of reading memory that no cache holds."""
    block = torch.ones(2**28, device=device)
    best = 0.0
    for _ in range(3):
        wait(device)
        start = time.perf_counter()
        block.sum()
        wait(device)
        best = max(best, block.numel() * 4 / (time.perf_counter() - start))
    return best


def library(model, batch, tokens, size):
    from transformers import LogitsProcessor

    class SpeechOnly(LogitsProcessor):
        def __call__(self, _, scores):
            scores[:, : size - SPEECH] = -torch.inf
            return scores

    longest = max(map(len, batch))
    ids, mask = (torch.zeros(len(batch), longest, dtype=torch.long, device=model.device) for _ in range(2))
    for row, prompt in enumerate(batch):
        ids[row, longest - len(prompt) :] = torch.from_numpy(prompt.astype(np.int64))
        mask[row, longest - len(prompt) :] = 1
    settings = {"do_sample": False, "pad_token_id": 0, "eos_token_id": None, "logits_processor": [SpeechOnly()]}
    with torch.inference_mode():
        return model.generate(ids, attention_mask=mask, max_new_tokens=tokens, **settings)[:, longest:].tolist()


def ours(engine, batch, body, tokens):
    answers = engine.run([Request(prompt, Allowed(body, ()), tokens) for prompt in batch])
    return [answer.ids for answer in answers]


def calls(engine, batch, body, tokens=8):
    """Print what a step calls on the host and runs on the device, from a few steps behind the prompts."""
    from torch.profiler import ProfilerActivity, profile

    answers = [engine.submit(Request(prompt, Allowed(body, ()), tokens + 20)) for prompt in batch]
    stream = engine.follow(answers[0])
    while len(min(answers, key=lambda answer: len(answer.ids)).ids) < 2:
        next(stream)
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        for _ in range(tokens):
            next(stream)
    for answer in answers:
        engine.cancel(answer)
    host, device = {}, {}
    for event in profiler.events():
        is_kernel = event.device_type == torch.autograd.DeviceType.CUDA
        count, spent = (device if is_kernel else host).get(event.name, (0, 0.0))
        (device if is_kernel else host)[event.name] = count + 1, spent + event.device_time_total
    for name, (count, _) in sorted(host.items(), key=lambda item: -item[1][0])[:6]:
        print(f"    {count / tokens:8.1f} {name}")
    total = sum(spent for _, spent in device.values())
    number = sum(count for count, _ in device.values())
    print(f"    {number / tokens:8.1f} kernels, {total / tokens:.0f} us of the device a step")
    for name, (count, spent) in sorted(device.items(), key=lambda item: -item[1][1])[:14]:
        print(f"    {count / tokens:8.1f} {spent / tokens:8.1f} us {spent / max(count, 1):7.2f} us each {name[:90]}")


def weight_bytes(decoder, body):
    """What a step must read: every layer, and the rows of the output matrix that get logits."""
    weights = [weight for layer in decoder.layers for weight in (layer.qkv, layer.out, layer.gate_up, layer.down)]
    return (sum(weight.size for weight in weights) + len(body) * decoder.sizes.hidden) * decoder.head.element_size()


def compare(model, decoder, rounded, size, count, arguments):
    """Seconds for a token of every row, by program; the prompts' share is taken out by running one token alone."""
    batch, seconds, answers, rates = prompts(count, size, arguments.longest), {}, {}, []
    runs, engines = {"transformers generate": lambda tokens: library(model, batch, tokens, size)}, {}
    for name, body in LOGITS.items():
        engines[f"ours, {name}"] = Engine(decoder, count, 512)
        runs[f"ours, {name}"] = partial(ours, engines[f"ours, {name}"], batch, body(size))
        if rounded is not None:
            engines[f"ours in int8, {name}"] = Engine(rounded, count, 512)
            runs[f"ours in int8, {name}"] = partial(ours, engines[f"ours in int8, {name}"], batch, body(size))
    speech = LOGITS["speech ids only"](size)
    if arguments.device == "cuda":
        engines["ours, call by call"] = Engine(decoder, count, 512, fixed=False)
        runs["ours, call by call"] = partial(ours, engines["ours, call by call"], batch, speech)
    for name, run in runs.items():
        start = time.perf_counter()
        run(4)
        print(f"{name}: a first time in {time.perf_counter() - start:.1f} s", flush=True)
    for _ in range(arguments.repeats):
        rates.append(bandwidth(arguments.device))
        for name, run in runs.items():
            start = time.perf_counter()
            run(1)
            middle = time.perf_counter()
            answers[name] = run(arguments.tokens)  # as a list: the device is done
            spent = time.perf_counter() - middle - (middle - start)
            seconds[name] = min(seconds.get(name, np.inf), spent / (arguments.tokens - 1))
    same = answers["transformers generate"] == answers["ours, speech ids only"]
    print(f"\nbatch {count}: the same tokens: {same}; memory read at {max(rates) / 1e9:.1f} GB/s")
    for name, spent in seconds.items():
        text = f"{name:28s} {count / spent:8.1f} tokens/s  {seconds['transformers generate'] / spent:5.2f} x"
        if count == 1 and name in ("ours, speech ids only", "ours, all ids"):
            moved = weight_bytes(decoder, LOGITS[name.removeprefix("ours, ")](size))
            text += f"   {moved / 1e6:.0f} MB a token: {moved / spent / max(rates):.0%} of the bandwidth"
        print(text, flush=True)
    for name in ("ours, speech ids only", "ours, call by call") if arguments.device == "cuda" else ():
        print(f"  {name}:", flush=True)
        calls(engines[name], batch, speech)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="0.3b")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument(
        "--longest", type=int, default=200, help="tokens of the longest prompt, five times the shortest"
    )
    parser.add_argument("--busy", action="store_true", help="another process computes all the time")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    import_torchaudio()
    size, sizes = MODELS[arguments.model]
    model, kind = random_qwen3(size, **sizes), getattr(torch, arguments.dtype)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
        shape = Sizes.read(Path(folder) / "config.json")
        decoder = Qwen3Decoder(shape, tensors, kind, arguments.device)
        rounded = Qwen3Decoder(shape, tensors, kind, int8=True) if arguments.device == "cpu" else None
    model = model.to(arguments.device, kind)
    parameters = sum(tensor.numel() for tensor in tensors.values())
    where = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{arguments.threads} thread(s)"
    print(f"Qwen3, {parameters:,} parameters, {arguments.dtype}, {where}, {arguments.tokens} tokens a row")
    with busy_core(arguments.busy):
        for count in arguments.batches:
            compare(model, decoder, rounded, size, count, arguments)


if __name__ == "__main__":
    main()
