"""Utterances that a corpus has twice, and some that only look so, for tests/bench/living/duplicates.py.

Originals are clips of folders of recordings (`manifest.jsonl` with `path`), LibriVox, a passage of moonshine-voice,
sentences of synthetic voices, and prompts of a telephone exchange (Debian's asterisk-core-sounds-en, -es, -fr and their
-wav, unpacked): one person of each language, who says some of them twice. A copy is an original after a change
(`CHANGES`). Another take is no copy: the same sentence by the same person, or by the same synthetic voice at another
rate or pitch.
"""

import gzip
import io
import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
CLIPS = 24
"""Of a folder, evenly chosen."""
PIECES = 10
"""Of a passage."""
COPIED = 1
"""Sentences of each synthetic voice of which there are copies."""
PROMPTS = {"en": "en_US_f_Allison", "es": "es_MX_f_Allison", "fr": "fr_CA_f_June"}
"""Folder of each language."""
PROMPT = "prompt "
"""Begins the names of those."""
PROMPT_WORDS = 4
"""Of a sentence at least."""
VOICES = [("espeak-ng", "en-us"), ("espeak-ng", "en-us+f3"), ("flite", "slt"), ("flite", "rms")]


@dataclass
class Said:
    """An utterance. Copies have the `source` of their original; takes of a sentence by a voice the same `sentence`."""

    source: str
    change: str
    wave: Wave
    sentence: str = ""
    language: str = "en"


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


def originals(folders: Sequence[Path], unpacked: Path) -> Iterator[Said]:
    """Those that are said more than once first."""
    yield from takes()
    yield from prompts(unpacked)
    for name, passages in (("librivox", librivox()), ("two cities", two_cities(seconds=6))):
        for number, wave in enumerate([wave for passage in passages for wave in passage.waves][:PIECES]):
            yield Said(f"{name}-{number}", "", wave)
    for folder in folders:
        rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
        for row in rows[:: max(1, len(rows) // CLIPS)]:
            for number, wave in enumerate(cut(read_wave(folder / row["path"]), 8)[: PIECES if len(rows) == 1 else 1]):
                yield Said(f"{row['path']}-{number}", "", wave, language=row.get("language", "en"))


def prompts(unpacked: Path) -> Iterator[Said]:
    """The sentences that the person of the prompts of a language says more than once, in other recordings."""
    for language, voice in PROMPTS.items():
        folder = unpacked / "usr/share/asterisk/sounds" / voice
        transcripts = unpacked / f"usr/share/doc/asterisk-core-sounds-{language}/core-sounds-{language}.txt.gz"
        files = defaultdict[str, list[str]](list)
        for line in gzip.decompress(transcripts.read_bytes()).decode(errors="replace").splitlines():
            name, found, sentence = line.partition(":")
            words = re.findall(r"[^\W\d_]+", sentence.lower())
            if found and len(words) >= PROMPT_WORDS and (folder / f"{name.strip()}.wav").exists():
                files[" ".join(words)].append(name.strip())
        for sentence, names in files.items():
            known = set[bytes]()
            for name in names if len(names) > 1 else ():
                wave = read_wave(folder / f"{name}.wav")
                if wave.tobytes() not in known:
                    yield Said(f"{PROMPT}{language} {name}", "", wave, f"{PROMPT}{language} {sentence}", language)
                known.add(wave.tobytes())


def takes() -> Iterator[Said]:
    """Each sentence by each voice, several times; a voice that does not heed an option says it once."""
    for program, voice in VOICES:
        for number, sentence in enumerate(SENTENCES):
            name, known = f"{voice}-{number}", set[bytes]()
            for take, options in enumerate(TAKES[program]):
                wave = spoken(program, voice, sentence, options)
                if wave.tobytes() not in known:
                    yield Said(f"{name}-take{take}", "", wave, name)
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
    """An utterance, and its copies, if it has any: those of synthetic voices are copied now and then only."""
    yield replace(said, wave=peak_normalize(said.wave))
    if not said.sentence or said.source.endswith(tuple(f"-{number}-take0" for number in range(COPIED))):
        for name, change in CHANGES.items():
            yield replace(said, change=name, wave=peak_normalize(change(said.wave)))
