"""Real recordings to try the pipeline on, taken from installed packages.

Nine original recordings, three derived from them that show the filters at work (noise mixed in, cut mid-word, two
voices overlapped), and `manifest.jsonl`, which gives the origin and licence of each.
"""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from curation.audio.files import read_wave, write_wave
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.errors import DataError
from curation.models.packaged_speech import BECKETT, DIALOGUE, TWO_CITIES, TWO_SPEAKERS
from curation.models.store import resolve

LIBRIVOX = Path("/usr/share/pocketsphinx/test/data/librivox")
SENTENCES = ("0870", "0880", "0890", "0920", "0930")
CUT_SENTENCE = "0920"
CUT_TEXT = "had he married a more a amiable woman he might have been made still more respectable than he was"
CUT_FROM, CUT_TO = "married", "respectable"
"""The derived recording starts in the middle of one of these words and ends in the middle of the other."""
SNR_DB = 0.0
SEED = 20_260_110


@dataclass(frozen=True)
class Demo:
    """One line of the manifest. `path` is relative to it."""

    path: str
    language: str
    note: str
    licence: str


def write_demo_recordings(folder: Path) -> list[Path]:
    """Write the recordings and `manifest.jsonl` into `folder` (made if need be); the recordings' paths.

    The same bytes every time. Raises ModelError where a package is missing or the dialogue cannot be fetched, and
    DataError, with the command that helps, where the LibriVox recordings are missing.
    """
    sources = original_files()
    folder.mkdir(parents=True, exist_ok=True)
    for demo, source in sources.items():
        shutil.copyfile(source, folder / demo.path)
    made = {Demo(f"derived_{name}.wav", "en", note, licence): wave for name, note, licence, wave in derived(folder)}
    for demo, wave in made.items():
        write_wave(folder / demo.path, wave)
    demos = [*sources, *made]
    lines = [json.dumps(asdict(demo), ensure_ascii=False) + "\n" for demo in demos]
    (folder / "manifest.jsonl").write_text("".join(lines), encoding="utf-8")
    return [folder / demo.path for demo in demos]


def original_files() -> dict[Demo, Path]:
    """The recordings that installed packages carry."""
    moonshine = "as shipped in the moonshine-voice package (MIT)"
    carried = {
        Demo("two_speakers.wav", "en", "telephone dialogue, two speakers, from pyannote.audio", "MIT"): TWO_SPEAKERS,
        Demo("monologue_two_cities.wav", "en", "a reading from A Tale of Two Cities, 48 kHz", moonshine): TWO_CITIES,
        Demo("monologue_beckett.wav", "en", "a short reading with long pauses", moonshine): BECKETT,
        Demo("dialogue_nagg_nell.wav", "en", "a dialogue on the stage, two speakers, 24 kHz", moonshine): DIALOGUE,
    }
    found = {demo: resolve(reference) for demo, reference in carried.items()}
    for number in SENTENCES:
        path = LIBRIVOX / f"sense_and_sensibility_01_austen_64kb-{number}.wav"
        if not path.is_file():
            msg = f"{path} is missing: run `apt-get install pocketsphinx-testdata`"
            raise DataError(msg)
        note = "a sentence of Sense and Sensibility, read for LibriVox"
        found[Demo(f"librivox_{number}.wav", "en", note, "public domain")] = path
    return found


def derived(folder: Path) -> list[tuple[str, str, str, Wave]]:
    """Name, note, licence and wave of the recordings made from those in `folder`."""
    sentence, cut = read_wave(folder / "librivox_0870.wav"), read_wave(folder / f"librivox_{CUT_SENTENCE}.wav")
    other = read_wave(folder / "monologue_two_cities.wav")[SAMPLE_RATE : SAMPLE_RATE + len(sentence)]
    free = "public domain"
    return [
        ("noise_mixed_in", f"librivox_0870 with noise at {SNR_DB:g} dB SNR", free, noisy(sentence, SNR_DB)),
        (
            "cut_mid_word",
            f"librivox_{CUT_SENTENCE} from the middle of '{CUT_FROM}' to the middle of '{CUT_TO}'",
            free,
            cut_mid_word(cut),
        ),
        (
            "two_voices_overlapped",
            "librivox_0870 and monologue_two_cities at once, equally loud",
            "as shipped in the moonshine-voice package (MIT)",
            overlapped(sentence, other),
        ),
    ]


def noisy(wave: Wave, snr_db: float) -> Wave:
    """The wave plus noise that falls by 3 dB an octave, at a signal-to-noise ratio over the whole of it; peak 0.9."""
    spectrum = np.fft.rfft(np.random.default_rng(SEED).standard_normal(len(wave)))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(wave))
    gain = np.sqrt(np.mean(np.square(wave, dtype=np.float64)) / np.mean(noise**2) / 10 ** (snr_db / 10))
    return _peak(wave + gain * noise)


def cut_mid_word(wave: Wave) -> Wave:
    """The part of the sentence between two word middles, found by forced alignment."""
    from curation.stages.punctuate.pocketsphinx import PocketSphinx

    words = CUT_TEXT.split()
    placed = PocketSphinx().align(wave, words, "en")
    first, last = (placed[words.index(word)] if placed else None for word in (CUT_FROM, CUT_TO))
    if first is None or last is None:
        msg = f"librivox_{CUT_SENTENCE}.wav does not fit its text: is pocketsphinx-testdata another version?"
        raise DataError(msg)
    return wave[(first.start + first.end) // 2 : (last.start + last.end) // 2]


def overlapped(one: Wave, other: Wave) -> Wave:
    """Two waves of the same length at once and equally loud; peak 0.9."""
    loudness = [np.sqrt(np.mean(np.square(wave, dtype=np.float64))) for wave in (one, other)]
    return _peak(one / loudness[0] + other / loudness[1])


def _peak(wave: np.ndarray) -> Wave:
    return np.asarray(0.9 * wave / np.max(np.abs(wave)), dtype=np.float32)
