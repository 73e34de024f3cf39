"""A corpus of spoken commands by synthetic voices of Debian packages, the same every time.

    python -m tests.bench.learning.command_corpus FOLDER

Writes FOLDER/wav/*.wav and two manifests: train.jsonl (commands by training voices, half of them by two, so that voice
conversion has parallel pairs) and test.jsonl (commands that training does not hold, by training voices and by voices
that it does not hold; column `condition`).

Commands, not strings of digits: Whisper writes those as 5, 8, 9, as 589, as 5-8-9 or as words, as it likes. Many, each
once or twice: of few a small model knows every recording by heart and does not learn to follow a text.
"""

import argparse
import hashlib
import itertools
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

from curation.audio.wave import SAMPLE_RATE

# Words that Whisper tiny and base understand when these voices say them: "bottle" was heard as "model", "bucket" as
# "market", "above" as "of". Of 15 for each slot these had the fewest errors.
VERBS = ("bring", "clean", "find", "paint", "open", "watch", "choose", "visit")
COLOURS = ("green", "purple", "orange", "black", "golden", "blue", "crimson", "pink")
THINGS = ("table", "candle", "pencil", "camera", "guitar", "hammer", "carpet", "helmet")
PLACES = (
    "near the river",
    "beside the station",
    "inside the kitchen",
    "behind the garden",
    "outside the village",
    "below the mountain",
    "around the corner",
    "along the road",
)
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
    Voice("espeak-us-f5", "espeak", "en-us+f5"),
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
    """How many different commands: of training by two voices and by one, of the test by one of these and by all unseen
    ones.
    """

    pairs: int = 1500
    singles: int = 1500
    test: int = 48

    @property
    def train(self) -> int:
        return self.pairs + self.singles


def plan(sizes: Sizes) -> list[tuple[Utterance, Voice]]:
    """All utterances of both manifests, in a fixed order; no command of the test is in training."""
    rng = random.Random(SEED)  # noqa: S311 - a corpus, not a secret
    found = commands()
    if sizes.train + sizes.test > len(found):
        msg = f"{len(found)} commands are too few for {sizes.train} of training and {sizes.test} of the test"
        raise ValueError(msg)
    rng.shuffle(found)
    trained = list(enumerate(found[sizes.test :][: sizes.train]))
    planned = []
    for place, words in trained[: sizes.pairs]:
        turn, first = divmod(place, len(VOICES))
        second = (first + 1 + turn % (len(VOICES) - 1)) % len(VOICES)  # each with each other
        chosen = [VOICES[first], VOICES[second]]
        planned += [(utterance(f"train-{place:04d}", words, voice, "train", rng), voice) for voice in chosen]
    for place, words in enumerate(found[: sizes.test]):
        for condition, voice in [("seen-voice", VOICES[place % len(VOICES)]), *(("unseen-voice", v) for v in UNSEEN)]:
            planned.append((utterance(f"test-{place:04d}", words, voice, condition, rng), voice))
    for place, words in trained[sizes.pairs :]:
        voice = VOICES[place % len(VOICES)]
        planned.append((utterance(f"train-{place:04d}", words, voice, "train", rng), voice))
    return planned


def commands() -> list[str]:
    """All commands of the grammar."""
    slots = itertools.product(VERBS, COLOURS, THINGS, PLACES)
    return [f"{verb} the {colour} {thing} {place}" for verb, colour, thing, place in slots]


def utterance(name: str, words: str, voice: Voice, condition: str, rng: random.Random) -> Utterance:
    name = f"{name}-{voice.name}"
    rate = round(rng.uniform(0.95, 1.05), 3)
    # As it is written: a model learns texts with capitals and punctuation.
    return Utterance(name, f"wav/{name}.wav", "en", voice.name, f"{words.capitalize()}.", condition, rate)


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
                run(["espeak-ng", "-v", voice.voice, "-s", speed, "-w", str(raw[one.id]), one.transcript])
            elif voice.program == "flite":
                stretch = f"duration_stretch={1 / one.rate:.3f}"
                run(["flite", "-voice", voice.voice, "--setf", stretch, "-t", one.transcript, "-o", str(raw[one.id])])
            finish(raw[one.id], folder / one.path)


def festival_script(voice: Voice, utterances: Iterable[Utterance], raw: dict[str, Path], scratch: Path) -> str:
    """One Scheme file for all utterances: Festival takes a second to start."""
    lines = [f"(voice_{voice.voice})"]
    for one in utterances:
        lines.append(f"(Parameter.set 'Duration_Stretch {1 / one.rate:.3f})")
        lines.append(f'(utt.save.wave (utt.synth (Utterance Text "{one.transcript}")) "{raw[one.id]}" \'riff)')
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
