"""Speed of the compact tokenizers, of the official ones at full size (random weights), and the error of streaming.

    python -m tests.bench.speed.tokenizers [--threads 1] [--clips 20] [--folder DIR]

Three ways to the same tokens, in one run: the straightforward loop (one clip after the other, the whole wav2vec2
model of the library with all its hidden states, weight norm computed in every call), ours one clip at a time, and
ours batched. Speech: the golden clips of tests/data, cut to 0.5-2 s. Needs 4 GB of disk and 6 GB of memory.
"""

import argparse
import tempfile
import time
from pathlib import Path

import ctranslate2
import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from curation.tokenize.base import CodecTokens
from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.compact.content import CompactContent
from curation.tokenize.official.bicodec.features import HIDDEN_STATES
from curation.tokenize.official.bicodec.tokenizer import BiCodecTokenizer
from curation.tokenize.official.checkpoints import exact_float32
from curation.tokenize.official.glm import GlmTokenizer
from tests.support.checkpoints import official

DATA = Path(__file__).parents[2] / "data"
MATRIX_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "scaled_dot_product", "linear")
LOOK_AHEADS = (0, 1, 2, 4, 8, 16, 32, 67)


def speech(count, seed=0):
    """Stretches of 0.5-2 s of the golden speech clips."""
    rng = np.random.default_rng(seed)
    with np.load(DATA / "glm/cases.npz") as cases:
        long = cases["long_31s4/wave"]
    lengths = rng.integers(8_000, 32_000, count)
    return [long[start : start + n] for n, start in zip(lengths, rng.integers(0, 400_000, count), strict=True)]


def timed(function):
    """CPU seconds (of all threads) of the faster of two runs: other work on the machine disturbs these least."""
    runs = []
    for _ in range(2):
        start = time.process_time()
        function()
        runs.append(time.process_time() - start)
    return min(runs)


def matrix_share(function):
    """Share of the CPU time of a run that is spent in matrix products (convolutions and attention included)."""
    with profile(activities=[ProfilerActivity.CPU]) as run:
        function()
    events = run.key_averages()
    spent = sum(e.self_cpu_time_total for e in events if any(name in e.key for name in MATRIX_PRODUCTS))
    return spent / sum(e.self_cpu_time_total for e in events)


def report(name, tokens, seconds, plain, share=None):
    share_text = "" if share is None else f"   {100 * share:.0f} % in matrix products"
    print(f"{name:44s} {tokens / seconds:8.1f} tokens per CPU second  {plain / seconds:5.2f} x{share_text}", flush=True)


def bench_glm(folder, waves):
    tokenizer = GlmTokenizer(official.write_glm(folder))
    tokens = sum(tokenizer.num_tokens(len(wave)) for wave in waves)
    single = timed(lambda: [tokenizer.encode([wave]) for wave in waves])
    batched = timed(lambda: tokenizer.encode(waves))
    report("GLM-4-Voice encode, one at a time (= loop)", tokens, single, single)
    report("GLM-4-Voice encode, batched", tokens, batched, single, matrix_share(lambda: tokenizer.encode(waves)))


def bench_compact(waves):
    """The compact tokenizers work clip by clip. What batching could save is shown on their encoder, clips cut alike."""
    codec, content = CompactCodec(), CompactContent()
    items = codec.encode(waves)
    tokens = sum(len(item.semantic) for item in items)
    loop = timed(lambda: codec.encode(waves))
    report("compact codec encode (clip by clip)", tokens, loop, loop)
    single = timed(lambda: codec.decode(items))
    report("compact codec decode (clip by clip)", tokens, single, single)
    ids = sum(content.num_tokens(len(wave)) for wave in waves)
    own = timed(lambda: content.encode(waves))
    report("compact content encode (clip by clip)", ids, own, own)
    mels = np.stack([content.states.extractor(wave[:8_000], padding=0)[:, :50] for wave in waves]).astype(np.float32)
    encode = content.states.model.encode
    one, many = (
        timed(lambda size=size: [encode(view(mels[i : i + size])) for i in range(0, len(mels), size)])
        for size in (1, 8)
    )
    spent = timed(lambda: [content.states(wave, codec.num_semantic(len(wave))) for wave in waves])
    print(f"  their encoder: {100 * spent / loop:.0f} % of the codec's encoding; in batches of 8 {one / many:.2f} x")


def view(mel):
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(mel))


def whole_wav2vec2(folder):
    """The released way to the features: every layer of the library's model, every hidden state kept."""
    from transformers import Wav2Vec2Model

    model = Wav2Vec2Model.from_pretrained(folder / "BiCodec/wav2vec2-large-xlsr-53").eval()

    def features(tokenizer, wave):
        values = tokenizer.features.extractor(wave.astype(np.float32), sampling_rate=16_000, return_tensors="pt")
        states = model(values.input_values, output_hidden_states=True).hidden_states
        return sum(states[number] for number in HIDDEN_STATES) / 3

    return features


def plain_encode(tokenizer, features, waves):
    """What the released code computes, clip by clip."""
    model, tokens = tokenizer.model, []
    for wave in waves:
        loud = tokenizer.volume_normalized(wave)
        with exact_float32():
            semantic = model.quantizer.ids(model.quantizer.project(model.encoder(features(tokenizer, loud))))[0]
            global_ = model.speaker_encoder.ids(tokenizer.mel([loud]))[0]
        tokens.append(CodecTokens(semantic[0].numpy().astype(np.int32), global_[0].numpy().astype(np.int32)))
    return tokens


def bench_bicodec(folder, waves):
    tokenizer = BiCodecTokenizer(official.write_bicodec(folder))
    features = whole_wav2vec2(folder)
    expected = plain_encode(tokenizer, features, waves)
    items = tokenizer.encode(waves)
    same = all(np.array_equal(a.semantic, b.semantic) for a, b in zip(items, expected, strict=True))
    tokens = sum(len(item.semantic) for item in items)
    print(f"BiCodec: {tokens} semantic tokens; the loop and the batch agree: {same}")
    plain = timed(lambda: plain_encode(tokenizer, features, waves))
    report("BiCodec encode, straightforward loop", tokens, plain, plain)
    report("BiCodec encode, one at a time", tokens, timed(lambda: [tokenizer.encode([wave]) for wave in waves]), plain)
    share = matrix_share(lambda: tokenizer.encode(waves))
    report("BiCodec encode, batched", tokens, timed(lambda: tokenizer.encode(waves)), plain, share)
    single = timed(lambda: [tokenizer.decode([item]) for item in items])
    share = matrix_share(lambda: tokenizer.decode(items))
    report("BiCodec decode, one at a time (= loop)", tokens, single, single)
    report("BiCodec decode, batched", tokens, timed(lambda: tokenizer.decode(items)), single, share)
    return tokenizer, items


def streaming_table(tokenizer, item, chunk=25):
    """Error of decode_stream against offline decoding, by look-ahead, with chunks of half a second."""
    item = CodecTokens(item.semantic[:100], item.global_)
    offline = tokenizer.decode([item])[0]
    level = np.sqrt(np.mean(offline**2))
    chunks = [item.semantic[start : start + chunk] for start in range(0, len(item.semantic), chunk)]
    print(f"\nreach {tokenizer.reach} tokens; {len(item.semantic)} tokens in chunks of {chunk}")
    print("look-ahead  waits (ms)  error RMS / signal RMS  largest error / signal RMS")
    for look_ahead in LOOK_AHEADS:
        wave = np.concatenate(list(tokenizer.decode_stream(chunks, item.global_, look_ahead)))
        error = wave - offline
        rms = np.sqrt(np.mean(error**2)) / level
        print(f"{look_ahead:10d}  {20 * look_ahead:10d}  {rms:22.1e}  {np.abs(error).max() / level:26.1e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--folder", type=Path, help="keep the checkpoints here (default: a temporary folder)")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    waves = speech(arguments.clips)
    print(f"{len(waves)} clips, {sum(map(len, waves)) / 16_000:.1f} s of speech, {arguments.threads} thread(s), CPU")
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        bench_compact(waves)
        bench_glm(folder / "glm", waves)
        tokenizer, items = bench_bicodec(folder / "bicodec", waves)
        streaming_table(tokenizer, max(items, key=lambda item: len(item.semantic)))


if __name__ == "__main__":
    main()
