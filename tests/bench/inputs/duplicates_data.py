"""Utterances that a corpus has twice, and some that only look so, for tests/bench/living/duplicates.py.

Originals are clips of a folder of recordings (`manifest.jsonl` with `path`), LibriVox, a passage of moonshine-voice,
and sentences of synthetic voices. A copy is an original after a change (`CHANGES`). Another take is the same sentence
by the same synthetic voice at another rate or pitch: no copy.
"""

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import soundfile
import soxr

from curation.audio.files import read_wave
from curation.audio.levels import peak_normalize
from curation.audio.wave import SAMPLE_RATE, Wave
from tests.bench.inputs.speech import cut, librivox, two_cities

SENTENCES = (
    "The morning was cold, and nobody spoke until the road turned north.",
    "Seventeen people were waiting at the station, most of them asleep.",
    "Could you please send the letter before Friday, if it is not too late?",
    "My brother carried both bags along the river, past the old mill.",
    "He asked twice whether the package had arrived, but she never answered.",
)
TAKES = {
    "espeak-ng": [
        ["-s", rate, "-p", pitch] for rate, pitch in (("165", "50"), ("175", "50"), ("165", "55"), ("180", "46"))
    ],
    "flite": [
        ["--setf", f"duration_stretch={rate}", "--setf", f"int_f0_target_mean={pitch}"]
        for rate, pitch in ((1.0, 105), (1.08, 105), (1.0, 116), (0.93, 98))
    ],
}
CLIPS = 12
"""Of the folder, evenly chosen."""
COPIED = 2
"""Sentences of each synthetic voice of which there are copies."""
VOICES = [("espeak-ng", "en-us"), ("espeak-ng", "en-us+f3"), ("flite", "slt"), ("flite", "rms")]


@dataclass
class Said:
    """An utterance. Copies have the `source` of their original; takes of a sentence by a voice the same `sentence`."""

    source: str
    change: str
    wave: Wave
    text: str = ""
    sentence: str = ""


def coded(wave: Wave, codec: str, container: str, rate: int, bits: int) -> Wave:
    """The wave after a lossy codec (FFmpeg) at so many bits a second, back at 16 kHz."""
    content = io.BytesIO()
    with av.open(content, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bits
        frame = av.AudioFrame.from_ndarray(resampled(wave, rate)[None], format="flt", layout="mono")
        frame.sample_rate = rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    content.seek(0)
    with av.open(content) as file:
        resampler = av.AudioResampler("flt", "mono", SAMPLE_RATE)
        frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.float32)


def resampled(wave: Wave, rate: float) -> Wave:
    return np.asarray(soxr.resample(wave, SAMPLE_RATE, rate), np.float32)


def faster(wave: Wave, speed: float) -> Wave:
    """As a tape that runs faster: the pitch goes up too."""
    return resampled(wave, SAMPLE_RATE / speed)


def stretched(wave: Wave, speed: float) -> Wave:
    """Faster or slower at the same pitch (FFmpeg's atempo)."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(sample_rate=SAMPLE_RATE, format="flt", layout="mono")
    tempo, sink = graph.add("atempo", str(speed)), graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    graph.push(frame)
    graph.push(None)
    parts = []
    while True:
        try:
            parts.append(graph.pull().to_ndarray()[0])
        except (av.error.EOFError, av.error.BlockingIOError):
            return np.concatenate(parts).astype(np.float32)


def noisy(wave: Wave, decibels: float) -> Wave:
    noise = np.random.default_rng(0).standard_normal(len(wave))
    return (wave + noise * np.sqrt(np.mean(wave**2)) * 10 ** (-decibels / 20)).astype(np.float32)


CHANGES: dict[str, Callable[[Wave], Wave]] = {
    "mp3, 64 kbit/s": lambda wave: coded(wave, "libmp3lame", "mp3", 24_000, 64_000),
    "mp3, 24 kbit/s": lambda wave: coded(wave, "libmp3lame", "mp3", 16_000, 24_000),
    "opus, 24 kbit/s": lambda wave: coded(wave, "libopus", "ogg", 48_000, 24_000),
    "opus, 10 kbit/s": lambda wave: coded(wave, "libopus", "ogg", 48_000, 10_000),
    "12 dB quieter": lambda wave: wave / 4,
    "noise, 30 dB": lambda wave: noisy(wave, 30),
    "noise, 15 dB": lambda wave: noisy(wave, 15),
    "start 30 ms later": lambda wave: wave[480:],
    "start 130 ms later, end 200 ms earlier": lambda wave: wave[2080:-3200],
    "start 600 ms later": lambda wave: wave[9600:],
    "tape, 0.97": lambda wave: faster(wave, 0.97),
    "tape, 1.1": lambda wave: faster(wave, 1.1),
    "tempo, 0.9": lambda wave: stretched(wave, 0.9),
    "tempo, 0.97": lambda wave: stretched(wave, 0.97),
    "tempo, 1.1": lambda wave: stretched(wave, 1.1),
}


def originals(folder: Path) -> Iterator[Said]:
    """Clips of 2 s at least, as the pipeline publishes them: peak 0.6."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines[:: max(1, len(lines) // CLIPS)]):
        yield Said(row["path"], "", cut(read_wave(folder / row["path"]), 8)[0])
    for name, passages in (("librivox", librivox()), ("two cities", two_cities(seconds=6))):
        for number, wave in enumerate([wave for passage in passages for wave in passage.waves][:5]):
            yield Said(f"{name}-{number}", "", wave)
    yield from takes()


def takes() -> Iterator[Said]:
    """Each sentence by each voice, several times; a voice that does not heed an option says it once."""
    for program, voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            name, known = f"{voice}-{number}", set[bytes]()
            for take, options in enumerate(TAKES[program]):
                wave = spoken(program, voice, sentence, options)
                if wave.tobytes() not in known:
                    yield Said(f"{name}-take{take}", "", wave, sentence, name)
                known.add(wave.tobytes())


def spoken(program: str, voice: str, sentence: str, options: list[str]) -> Wave:
    if program == "flite":
        command = ["flite", "-voice", voice, *options, "-t", sentence, "-o", "/dev/stdout"]
    else:
        command = ["espeak-ng", "-v", voice, *options, "--stdout", sentence]
    content = subprocess.run(command, check=True, capture_output=True).stdout
    wave, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    return np.asarray(soxr.resample(wave, rate, SAMPLE_RATE), np.float32)


def changed(said: Said) -> Iterator[Said]:
    """The copies of an original."""
    for name, change in CHANGES.items():
        yield Said(said.source, name, change(said.wave), said.text, said.sentence)


def utterances(folder: Path) -> Iterator[Said]:
    """All originals, and copies of all but the takes."""
    for said in originals(folder):
        if len(said.wave) < 2 * SAMPLE_RATE:
            continue
        said.wave = peak_normalize(said.wave)
        yield said
        if not said.sentence or said.source.endswith(tuple(f"-{number}-take0" for number in range(COPIED))):
            for copy in changed(said):
                copy.wave = peak_normalize(copy.wave)
                yield copy
