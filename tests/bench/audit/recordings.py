"""240 short recordings, for the pictures and the page of docs/how-to/audit.md: read, acted, spoken by machines, noisy.

    python -m tests.bench.audit.recordings FOLDER && curation build FOLDER/manifest.jsonl -o CORPUS

They are made of the demo's recordings (LibriVox: public domain; moonshine-voice and pyannote.audio: MIT), of which the
long ones are cut every three seconds, without regard to words, and of sentences of Sense and Sensibility, spoken by
espeak-ng. To some of them noise is added.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np

from curation.audio.files import read_wave, write_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.demo.recordings import write_demo_recordings

RECORDINGS = 240
CLEAN = 60
LONG, CUT, STEP, LEAST = (seconds * SAMPLE_RATE for seconds in (9, 5, 3, 4))
VOICES = ("en-us", "en-gb", "en-gb-scotland", "en-us+f2", "en-us+m3", "en-gb+f4", "en-029", "en-gb-x-rp")
RATES = (150, 175, 220, 300)
"""Words a minute."""
SENTENCES = (
    "The family of Dashwood had long been settled in Sussex",
    "Their estate was large",
    "The late owner was a single man who lived to a very advanced age",
    "For many years of his life he had a constant companion in his sister",
    "Her death produced a great alteration in his home",
    "He received into his house the family of his nephew",
    "He was the legal inheritor of the estate",
    "His days were comfortably spent",
    "His attachment to them all increased",
    "The constant attention gave him every degree of solid comfort",
)


def noisy(wave: Wave, snr_db: float, draw: np.random.Generator) -> Wave:
    """With noise of falling spectrum, below its own level by `snr_db`; the peak is at 0.6."""
    noise = np.cumsum(draw.standard_normal(len(wave)))
    noise = noise - np.convolve(noise, np.ones(400) / 400, "same")
    mixed = wave + noise / max(noise.std(), 1e-9) * wave.std() * 10 ** (-snr_db / 20)
    return (0.6 * mixed / np.abs(mixed).max()).astype(np.float32)


def read(folder: Path, draw: np.random.Generator) -> Iterator[tuple[str, Wave, str]]:
    """Name, samples and speaker of the demo's original recordings, whole or in pieces, clean and with noise."""
    for path in sorted(folder.glob("*.wav")):
        if path.stem.startswith("derived"):
            continue
        wave, book = read_wave(path), path.stem.startswith("librivox")
        starts = range(0, len(wave) - LEAST, STEP)[:14] if len(wave) >= LONG else range(1)
        for number, start in enumerate(starts):
            piece = wave[start : start + CUT] if len(wave) >= LONG else wave
            for snr in (CLEAN, 12, 3) if book else (CLEAN, 6) if number % 2 else (CLEAN,):
                heard = piece if snr == CLEAN else noisy(piece, snr, draw)
                yield f"{path.stem}_{number:02d}_{snr}dB", heard, "librivox" if book else path.stem


def spoken(draw: np.random.Generator) -> Iterator[tuple[str, Wave, str]]:
    """Name, samples and speaker of the sentences by all voices; every third has noise."""
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary, "a.wav")
        for number in count():
            voice, sentence = VOICES[number % len(VOICES)], SENTENCES[number // len(VOICES) % len(SENTENCES)]
            rate = str(RATES[number % len(RATES)])
            subprocess.run(["espeak-ng", "-v", voice, "-s", rate, "-w", str(file), sentence], check=True)
            wave = read_wave(file)
            heard = wave if number % 3 else noisy(wave, (15, 8, 2)[number // 3 % 3], draw)
            yield f"espeak_{number:03d}", heard, f"espeak {voice}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder, draw = parser.parse_args().folder, np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as temporary:
        write_demo_recordings(Path(temporary))
        found = [*read(Path(temporary), draw)]
    found += islice(spoken(draw), RECORDINGS - len(found))
    for name, wave, _ in found:
        write_wave(folder / f"{name}.wav", wave)
    lines = [{"path": f"{name}.wav", "id": name, "speaker": who, "language": "en"} for name, _, who in found]
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    print(f"{len(found)} recordings in {folder}")


if __name__ == "__main__":
    main()
