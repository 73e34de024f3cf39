"""Does what is published harm those who listen to it? Whisper base and DNSMOS behind denoisers, limits and the rule.

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.denoising [FOLDER] [--cache FILE] [--seconds 280] [--systems ...]

Sets: LibriVox and two_cities (in packages), commands by espeak-ng, and by language the recordings of FOLDER, whose
manifest.jsonl has `path`, `language` and `transcript`. Each as it is, and with babble or pink noise at 5 and 10 dB.
A system is `raw`, a denoiser, or a denoiser with its limit in dB: deepfilternet3@6. Prints word errors (characters of
Chinese), SIG and OVRL of DNSMOS by set and noise; then the same with a denoiser where the estimated SNR is below each
limit of `--rules`. With --cache, what was heard is kept, and --seconds of CPU time are spent at most.
"""

import argparse
import hashlib
import json
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from rapidfuzz.distance import Levenshtein

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.quality import snr_db
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.denoise.registry import DENOISERS
from curation.stages.loudness import LoudnessConfig, compress
from curation.stages.quality.dnsmos import Dnsmos
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.whisper import WhisperConfig
from curation.text.normalize import normalizer_for
from tests.bench.accuracy.denoisers import babble, pink
from tests.bench.inputs.speech import passages
from tests.bench.learning.command_corpus import Sizes, plan
from tests.support.dummies import mix

COMMANDS = 24
NOISES = {"babble": babble, "pink": pink}
CONDITIONS = [("clean", None), *((kind, snr) for kind in NOISES for snr in (5, 10))]
SYSTEMS = ("raw", "deepfilternet3@6", "deepfilternet3@12")


@dataclass(frozen=True)
class Clip:
    """An utterance; a passage that is cut has its reference at every piece, and is compared as a whole."""

    corpus: str
    name: str
    wave: Wave
    reference: str
    language: str
    cut: bool = False


def clips(folder: Path | None) -> Iterator[Clip]:
    for passage in passages():
        mark, cut = hashlib.md5(passage.reference.encode()).hexdigest()[:4], len(passage.waves) > 1  # noqa: S324
        for number, wave in enumerate(passage.waves):
            if passage.corpus != "sample":
                name = f"{passage.corpus}-{mark}-{number}"
                yield Clip(passage.corpus, name, wave, passage.reference, "en", cut)
    yield from commands()
    for line in (folder / "manifest.jsonl").read_text().splitlines() if folder else []:
        row = json.loads(line)
        yield Clip(row["language"], row["id"], read_wave(folder / row["path"]), row["transcript"], row["language"])


def commands() -> Iterator[Clip]:
    """Commands of the learning benchmark that training does not hold, each in silence with a little noise."""
    planned = [(one, voice) for one, voice in plan(Sizes()) if voice.program == "espeak" and one.condition != "train"]
    with tempfile.TemporaryDirectory() as scratch:
        for one, voice in planned[:COMMANDS]:
            path, speed = f"{scratch}/a.wav", str(round(150 * one.rate))
            subprocess.run(["espeak-ng", "-v", voice.voice, "-s", speed, "-w", path, one.transcript], check=True)
            wave, rate = soundfile.read(path, dtype="float32")
            wave = soxr.resample(wave, rate, SAMPLE_RATE)
            padded = np.random.default_rng(1).standard_normal(len(wave) + 8000) * 1e-3
            padded[4000 : 4000 + len(wave)] += wave * (0.6 / np.abs(wave).max())
            yield Clip("commands", one.id, padded.astype(np.float32), one.transcript, "en")


def heard(clip: Clip, kind: str, snr: int | None) -> Wave:
    """What the denoise stage gets."""
    noisy = clip.wave if snr is None else mix(clip.wave, NOISES[kind](len(clip.wave)), snr)
    return peak_normalize(compress(noisy, LoudnessConfig()))


@cache
def denoiser(kind: str) -> Any:
    found = DENOISERS[kind]()
    found.load()
    return found


def published(system: str, wave: Wave) -> Wave:
    kind, _, limit = system.partition("@")
    if kind == "raw":
        return wave
    left = np.float32(10 ** (-float(limit) / 20)) if limit else np.float32(0)
    return peak_normalize(left * wave + (1 - left) * denoiser(kind).denoise(wave))


class Listener:
    """Whisper base and one window of DNSMOS; what they found is kept in a file."""

    def __init__(self, file: Path | None, seconds: float) -> None:
        self._file, self._seconds = file, seconds
        lines = file.read_text().splitlines() if file and file.is_file() else []
        self.found: dict[str, dict[str, Any]] = dict(map(json.loads, lines))
        self._dnsmos = Dnsmos()
        self._whisper = build_system(WhisperConfig(name="w", model="whisper-base", beam_size=1))
        self._whisper.load()

    def __call__(self, key: str, clip: Clip, wave: Wave) -> None:
        if key in self.found or time.process_time() > self._seconds:
            return
        quality = self._dnsmos.score(wave, 1)
        text = self._whisper.transcribe([wave], [clip.language])[0].text
        self.found[key] = {"text": text, "sig": quality.sig, "ovrl": quality.ovrl}
        if self._file:
            with self._file.open("a") as out:
                out.write(json.dumps([key, self.found[key]], ensure_ascii=False) + "\n")


def errors(items: list[tuple[Clip, str]]) -> tuple[int, int]:
    """Wrong words, and words."""
    texts: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for clip, text in items:
        texts[clip.reference, clip.language, "" if clip.cut else clip.name].append(text)
    wrong = total = 0
    for (reference, language, _), parts in texts.items():
        normalizer = normalizer_for(language)
        right = normalizer.units(reference)
        wrong += Levenshtein.distance(right, normalizer.units(" ".join(parts)))
        total += len(right)
    return wrong, total


def row(items: list[tuple[Clip, dict[str, Any]]]) -> str:
    wrong, total = errors([(clip, found["text"]) for clip, found in items])
    sig, ovrl = (np.mean([found[key] for _, found in items]) for key in ("sig", "ovrl"))
    return f"{wrong:4}/{total} = {wrong / total:.3f}  SIG {sig:.2f}  OVRL {ovrl:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--systems", nargs="+", default=SYSTEMS)
    parser.add_argument("--rules", type=float, nargs="*", default=(11, 12, 13, 15, 18))
    options = parser.parse_args()
    listen = Listener(options.cache, options.seconds)
    groups: dict[tuple[str, str], list[tuple[Clip, str, float]]] = defaultdict(list)
    for kind, snr in CONDITIONS:
        for clip in clips(options.folder):
            wave, key = heard(clip, kind, snr), f"w|{clip.name}|{kind}|{snr}|"
            for system in options.systems:
                if key + system not in listen.found:
                    listen(key + system, clip, published(system, wave))
            if all(key + system in listen.found for system in options.systems):
                groups[clip.corpus, f"{kind} {snr or ''}"].append((clip, key, snr_db(wave)))
    for (corpus, condition), items in groups.items():
        print(f"{corpus}, {condition}: {len(items)} utterances, SNR {np.median([ratio for *_, ratio in items]):.1f} dB")
        for system in options.systems:
            print(f"  {system:24}", row([(clip, listen.found[key + system]) for clip, key, _ in items]))
        for limit in options.rules:
            for system in options.systems[1:]:
                chosen = [system if ratio < limit else "raw" for *_, ratio in items]
                taken = [(item[0], listen.found[item[1] + name]) for item, name in zip(items, chosen, strict=True)]
                share = np.mean([name != "raw" for name in chosen])
                print(f"  {system} below {limit:g} dB:".ljust(26), row(taken), f" denoised {share:.0%}", flush=True)


if __name__ == "__main__":
    main()
