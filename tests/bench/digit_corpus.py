"""A corpus of spoken digit strings by synthetic voices of Debian packages, the same every time.

    python -m tests.bench.digit_corpus FOLDER

Writes FOLDER/wav/*.wav and two manifests: train.jsonl (training strings by training voices; each string by several
voices, so there are parallel pairs) and test.jsonl (strings that training does not hold, by training voices and by
voices that it does not hold; column `condition`).
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import soxr

from curation.manifests.records import SAMPLE_RATE

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SEED = 20_260_110
SILENCE_SECONDS = 0.25
NOISE_DB = -60.0
PROGRAMS = {"espeak-ng": "espeak-ng", "flite": "flite", "festival": "festival", "text2wave": "festival"}
FESTIVAL_VOICES = {
    "cmu_us_slt_arctic_hts": "festvox-us-slt-hts",
    "kal_diphone": "festvox-kallpc16k",
    "ked_diphone": "festvox-kdlpc16k",
}


@dataclass(frozen=True)
class Voice:
    """A synthetic speaker: `name` in the manifest, and what its program calls it."""

    name: str
    program: Literal["espeak", "flite", "festival"]
    voice: str


VOICES = (
    Voice("espeak-us", "espeak", "en-us"),
    Voice("espeak-us-f2", "espeak", "en-us+f2"),
    Voice("espeak-us-m3", "espeak", "en-us+m3"),
    Voice("espeak-gb-f4", "espeak", "en-gb+f4"),
    Voice("espeak-gb-m7", "espeak", "en-gb+m7"),
    Voice("espeak-us-belinda", "espeak", "en-us+belinda"),
    Voice("flite-slt", "flite", "slt"),
    Voice("flite-awb", "flite", "awb"),
    Voice("flite-kal", "flite", "kal16"),
    Voice("festival-slt", "festival", "cmu_us_slt_arctic_hts"),
    Voice("festival-ked", "festival", "ked_diphone"),
)
"""Training voices. flite-kal and festival's kal are recordings of one speaker, so only one of them is here."""
UNSEEN = (Voice("espeak-us-f3", "espeak", "en-us+f3"), Voice("flite-rms", "flite", "rms"))
"""Test only: a variant of a synthesiser that training knows, and a speaker that it has never heard."""


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest. `path` is relative to it; `rate` is the speaking rate against the voice's own."""

    id: str
    path: str
    language: str
    speaker: str
    transcript: str
    condition: str
    rate: float


@dataclass(frozen=True)
class Sizes:
    """How many strings, and by how many voices each is spoken."""

    train_strings: int = 267
    train_voices: int = 3
    test_strings: int = 24


def plan(sizes: Sizes) -> list[tuple[Utterance, Voice]]:
    """All utterances of both manifests, in a fixed order; no test string is a training string."""
    rng = random.Random(SEED)  # noqa: S311 - a corpus, not a secret
    strings = distinct_strings(rng, sizes.train_strings + sizes.test_strings)
    planned = []
    for place, words in enumerate(strings[sizes.test_strings :]):
        chosen = [VOICES[(place * sizes.train_voices + k) % len(VOICES)] for k in range(sizes.train_voices)]
        planned += [(utterance(words, voice, "train", rng), voice) for voice in chosen]
    for place, words in enumerate(strings[: sizes.test_strings]):
        for condition, voice in [("seen-voice", VOICES[place % len(VOICES)]), *(("unseen-voice", v) for v in UNSEEN)]:
            planned.append((utterance(words, voice, condition, rng), voice))
    return planned


def distinct_strings(rng: random.Random, count: int) -> list[str]:
    """Strings of 2 to 6 digit words, as many of each length as two digits allow, all different, shuffled."""
    found: dict[str, None] = {}
    while len(found) < count:
        length = rng.choices((2, 3, 4, 5, 6), weights=(1, 3, 4, 4, 4))[0]
        found[" ".join(rng.choice(DIGITS) for _ in range(length))] = None
    return list(found)


def utterance(words: str, voice: Voice, condition: str, rng: random.Random) -> Utterance:
    digits = "".join(str(DIGITS.index(word)) for word in words.split())
    name = f"{voice.name}-{digits}"
    return Utterance(name, f"wav/{name}.wav", "en", voice.name, words, condition, round(rng.uniform(0.85, 1.15), 3))


def make(folder: Path, sizes: Sizes) -> None:
    """Write the corpus; what is there already is kept. Raises SystemExit with the command where a voice is missing."""
    check_programs()
    planned = plan(sizes)
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    missing = [(one, voice) for one, voice in planned if not (folder / one.path).is_file()]
    by_voice: dict[Voice, list[Utterance]] = {}
    for one, voice in missing:
        by_voice.setdefault(voice, []).append(one)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda item: speak(folder, *item), by_voice.items()))
    for name, wanted in (("train", {"train"}), ("test", {"seen-voice", "unseen-voice"})):
        rows = [asdict(one) for one, _ in planned if one.condition in wanted]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def check_programs() -> None:
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    voices = {path.name for path in Path("/usr/share/festival/voices").glob("*/*")}
    missing |= {package for voice, package in FESTIVAL_VOICES.items() if voice not in voices}
    if missing:
        msg = f"synthetic voices are missing: apt-get install {' '.join(sorted(missing))}"
        raise SystemExit(msg)


def speak(folder: Path, voice: Voice, utterances: list[Utterance]) -> None:
    """Synthesise all utterances of one voice."""
    with tempfile.TemporaryDirectory() as scratch:
        raw = {one.id: Path(scratch) / f"{one.id}.wav" for one in utterances}
        if voice.program == "festival":
            run(["festival", "-b", festival_script(voice, utterances, raw, Path(scratch))])
        for one in utterances:
            if voice.program == "espeak":
                speed = str(round(150 * one.rate))
                run(["espeak-ng", "-v", voice.voice, "-s", speed, "-w", str(raw[one.id]), spoken(one)])
            elif voice.program == "flite":
                stretch = f"duration_stretch={1 / one.rate:.3f}"
                run(["flite", "-voice", voice.voice, "--setf", stretch, "-t", spoken(one), "-o", str(raw[one.id])])
            finish(raw[one.id], folder / one.path)


def spoken(one: Utterance) -> str:
    """Read out as a list: without pauses Whisper repeats itself (WER above 1 on espeak-ng's voices, 0.05 with them)."""
    return ", ".join(one.transcript.split())


def festival_script(voice: Voice, utterances: Iterable[Utterance], raw: dict[str, Path], scratch: Path) -> str:
    """One Scheme file for all utterances: Festival takes a second to start."""
    lines = [f"(voice_{voice.voice})"]
    for one in utterances:
        lines.append(f"(Parameter.set 'Duration_Stretch {1 / one.rate:.3f})")
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{spoken(one)}")) "{raw[one.id]}" \'riff)')
    script = scratch / "speak.scm"
    script.write_text("\n".join(lines))
    return str(script)


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def finish(raw: Path, target: Path) -> None:
    """16 kHz, peak 0.6, silence with a little noise on both sides: a recording, not a bare synthesis."""
    wave, rate = soundfile.read(raw, dtype="float32")
    wave = soxr.resample(wave, rate, SAMPLE_RATE)
    wave *= 0.6 / np.abs(wave).max()
    silence = round(SILENCE_SECONDS * SAMPLE_RATE)
    seed = int.from_bytes(hashlib.blake2b(target.name.encode(), digest_size=4).digest())
    noise = np.random.default_rng(seed).standard_normal(len(wave) + 2 * silence) * 10 ** (NOISE_DB / 20)
    noise[silence : silence + len(wave)] += wave
    partial = target.with_suffix(".part.wav")
    soundfile.write(partial, noise.astype(np.float32), SAMPLE_RATE, subtype="PCM_16")
    partial.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    make(parser.parse_args().folder, Sizes())


if __name__ == "__main__":
    main()
