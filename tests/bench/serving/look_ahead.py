"""What a short look-ahead of the first piece of streamed speech costs, with the compact codec on real speech.

    python -m tests.bench.serving.look_ahead

Readers and a telephone call as the codec's tokens, in pieces of 3 s, decoded in a first piece of 25 tokens (0.5 s) that
waits for fewer tokens than it depends on, and the rest, which waits for all, against decoding at once. By the
look-ahead: the error of the first piece (RMS, over the RMS of the speech there) in the mean and in the worst clip; its
log-mel distance in dB (mean over frames and bands of the loudest 40 dB); the error after it; and how much larger than
without streaming the step from sample to sample is at the join, over the RMS.
"""

import numpy as np

from curation.tokenize.base import CodecTokens
from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.compact.features import log_mel
from curation.tokenize.speech import FADE
from tests.support.real_speech import BECKETT, SAMPLE, TWO_CITIES, librivox, wave

FIRST, TOTAL = 25, 150
LOOK_AHEADS = (0, 1, 2, 4, 6, 8, 10, 13, 16, 20, 26)


def main():
    codec = CompactCodec()
    tokens = pieces(codec)
    whole = codec.decode(tokens)
    print(f"{len(tokens)} pieces of {TOTAL / 50:.0f} s; a token depends on {codec.look_ahead} that follow")
    print("| look-ahead | error of the first piece | the worst | log-mel, dB | error after it | step at the join |")
    print("|---|---|---|---|---|---|")
    for look_ahead in LOOK_AHEADS:
        rows = [figures(codec, item, exact, look_ahead) for item, exact in zip(tokens, whole, strict=True)]
        first, mel, after, step = np.array(rows).T
        told = f"{np.mean(first):.1e} | {np.max(first):.1e} | {np.mean(mel):.3f} | {np.mean(after):.1e}"
        print(f"| {look_ahead} | {told} | {np.max(step):.1e} |", flush=True)


def pieces(codec):
    """Tokens of real speech, `TOTAL` of each piece."""
    long = [wave(name)[start : start + 320_000] for name in (TWO_CITIES, SAMPLE, BECKETT) for start in (0, 320_000)]
    items = codec.encode([one for one in [*librivox(), *long] if len(one) > 320 * (TOTAL + 1)])
    return [
        CodecTokens(item.semantic[start : start + TOTAL], item.global_)
        for item in items
        for start in range(0, len(item.semantic) - TOTAL + 1, TOTAL)
    ]


def figures(codec, item, whole, look_ahead):
    chunks = np.split(item.semantic, [FIRST + look_ahead])
    speech = np.concatenate(list(codec.decode_stream(chunks, item.global_, first_look_ahead=look_ahead)))
    join = 320 * FIRST
    error, level = speech - whole, np.sqrt(np.mean(whole[:join] ** 2))
    ours, exact = (log_mel(part[:join], 2 * FIRST) for part in (speech, whole))
    heard = exact > exact.max() - 40 / 20 * np.log(10)
    step = np.abs(np.diff(speech)) - np.abs(np.diff(whole))
    return (
        np.sqrt(np.mean(error[:join] ** 2)) / level,
        20 / np.log(10) * np.abs(ours - exact)[heard].mean(),
        np.sqrt(np.mean(error[join + FADE :] ** 2)) / level,
        max(step[join - 2 : join + FADE].max() / level, 0.0),
    )


if __name__ == "__main__":
    main()
