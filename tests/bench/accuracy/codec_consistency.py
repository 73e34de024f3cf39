"""How many semantic codes stay when the same sound is recorded again, for the shipped compact codec and fitted ones.

    python -m tests.bench.accuracy.codec_consistency MANIFEST [FOLDER_OF_TOKENIZERS ...]

Twelve recordings of the manifest (JSON lines with `path`), evenly chosen; each compared with itself half a token
later, with faint noise, and so on. What changes for no reason a model that learns to speak cannot learn.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from curation.audio.files import read_wave
from curation.audio.wave import Wave
from curation.tokenize.compact.codec import CompactCodec
from curation.tokenize.fit.augment import perturbed

CLIPS = 12


def noisy(wave: Wave, decibels: float) -> Wave:
    noise = np.random.default_rng(0).standard_normal(len(wave)) * 10 ** (decibels / 20)
    return (wave + noise).astype(np.float32)


CHANGES: dict[str, Callable[[Wave], Wave]] = {
    "one sample later": lambda wave: wave[1:],
    "5 ms later": lambda wave: wave[80:],
    "10 ms later": lambda wave: wave[160:],
    "noise at -60 dB": lambda wave: noisy(wave, -60),
    "noise at -45 dB": lambda wave: noisy(wave, -45),
    "0.9 times as loud": lambda wave: (0.9 * wave).astype(np.float32),
    "a perturbed copy, as in fitting": lambda wave: perturbed(wave, np.random.default_rng(0)),
}


def staying(codec: CompactCodec, waves: list[Wave]) -> dict[str, float]:
    """Share of codes that are the same at the same place, by change."""
    first = [item.semantic for item in codec.encode(waves)]
    found = {}
    for name, change in CHANGES.items():
        again = [item.semantic for item in codec.encode([change(wave) for wave in waves])]
        same = [np.mean(one[: len(other)] == other[: len(one)]) for one, other in zip(first, again, strict=True)]
        found[name] = float(np.mean(same))
    return found


def entropy(codec: CompactCodec, waves: list[Wave]) -> float:
    """Of single codes, nats."""
    counts = np.bincount(np.concatenate([item.semantic for item in codec.encode(waves)]))
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def main() -> None:
    manifest, *folders = map(Path, sys.argv[1:])
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    chosen = [rows[at * len(rows) // CLIPS] for at in range(CLIPS)]
    waves = [read_wave(manifest.parent / row["path"]) for row in chosen]
    codecs = {"shipped": CompactCodec(), **{folder.name: CompactCodec(folder) for folder in folders}}
    found = {name: staying(codec, waves) for name, codec in codecs.items()}
    print(f"| | {' | '.join(codecs)} |")
    print("|---|" + "---|" * len(codecs))
    print("| codes | " + " | ".join(str(codec.semantic_size) for codec in codecs.values()) + " |")
    print("| entropy, nats | " + " | ".join(f"{entropy(codec, waves):.1f}" for codec in codecs.values()) + " |")
    for change in CHANGES:
        print(f"| {change} | " + " | ".join(f"{100 * found[name][change]:.0f} %" for name in codecs) + " |")


if __name__ == "__main__":
    main()
