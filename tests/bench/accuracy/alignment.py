"""How far are PocketSphinx's word times from those of Montreal Forced Aligner on the same recordings?

    python -m tests.bench.accuracy.alignment

LibriVox sentences and two_cities, 190 words; MFA 3.4.3 with a small acoustic model (tests/data/mfa), whose own errors
are in the figures. The last lines pretend that every fourth word is unknown to the dictionary. Where MFA is installed,
its own alignment in memory is compared with its command line too.
"""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.stages.punctuate import pocketsphinx
from curation.stages.punctuate.base import Aligner
from curation.stages.punctuate.mfa.adapter import MontrealForcedAligner
from curation.stages.punctuate.mfa.models import MfaConfig, missing
from curation.stages.punctuate.pocketsphinx import PocketSphinx
from curation.stages.punctuate.pronunciation import spell
from tests.support.real_speech import TWO_CITIES, librivox, wave

MFA = Path(__file__).parents[2] / "data" / "mfa"
Reference = list[tuple[float, float, str]]


def corpus() -> list[tuple[Reference, Wave]]:
    """Word times (seconds) and audio."""
    files = [*sorted(MFA.glob("sense*.json")), MFA / "two_cities.json"]
    waves = [*librivox(), wave(TWO_CITIES)]
    return [(json.loads(path.read_text()), samples) for path, samples in zip(files, waves, strict=True)]


def times(aligner: Aligner, *, unknown: int = 0) -> np.ndarray:
    """Start and end of every word in seconds, shape (words, 2); every `unknown`-th word is aligned by its letters."""
    rows = []
    for words, samples in corpus():
        texts = [text for _, _, text in words]
        for index in range(unknown - 1, len(texts), unknown) if unknown else ():
            odd = f"zz{texts[index]}"
            if aligner._lookup(odd) is None:
                aligner._add(odd, [spell(texts[index])])
            texts[index] = odd
        placed = aligner.align(samples, texts, "en")
        assert placed is not None
        rows += [(place.start / SAMPLE_RATE, place.end / SAMPLE_RATE) for place in placed if place]
    return np.array(rows)


def pauses(rows: np.ndarray, lengths: list[int]) -> np.ndarray:
    """Pauses between the words of each recording, in seconds."""
    parts = np.split(rows, np.cumsum(lengths)[:-1])
    return np.array([after[0] - before[1] for part in parts for before, after in pairwise(part)])


def report(title: str, rows: np.ndarray, reference: np.ndarray, lengths: list[int]) -> None:
    """Print the differences."""
    start, end = np.abs(rows - reference).T * 1000
    gap, expected = pauses(rows, lengths), pauses(reference, lengths)
    wrong = np.abs(gap - expected) * 1000
    print(
        f"{title:22} start {np.median(start):4.0f} {np.quantile(start, 0.95):5.0f}   "
        f"end {np.median(end):4.0f} {np.quantile(end, 0.95):5.0f}   pause {np.median(wrong):4.0f} "
        f"{np.quantile(wrong, 0.95):5.0f}   pauses >= 300 ms {int((expected >= 0.295).sum())}, "
        f"found {int(((expected >= 0.295) & (gap >= 0.295)).sum())}, "
        f"invented {int(((expected < 0.2) & (gap >= 0.295)).sum())}; 50-300 ms "
        f"{int(((expected >= 0.045) & (expected < 0.295)).sum())}, taken for fluent "
        f"{int(((expected >= 0.045) & (expected < 0.295) & (gap < 0.045)).sum())}"
    )


def main() -> None:
    """Print the table: median and 95th percentile of the absolute difference in ms."""
    reference = np.array([word[:2] for words, _ in corpus() for word in words])
    lengths = [len(words) for words, _ in corpus()]
    aligner = PocketSphinx()
    aligner.load()
    report("as used", times(aligner), reference, lengths)
    report("every 4th word unknown", times(aligner, unknown=4), reference, lengths)
    trim = pocketsphinx.trim
    pocketsphinx.trim = lambda frames, _: frames
    report("without trimming", times(aligner), reference, lengths)
    pocketsphinx.trim = trim
    models = {
        "acoustic_model": f"path:{MFA / 'golden/acoustic.zip'}",
        "dictionary": f"path:{MFA / 'golden/dictionary.dict'}",
    }
    config = MfaConfig(**models)
    report("MFA's models", times(MontrealForcedAligner(config)), reference, lengths)
    config = config.model_copy(update={"run": "memory"})
    if problem := missing(config):
        print(f"Montreal Forced Aligner in memory: not here ({problem})")
        return
    report("MFA in memory", times(MontrealForcedAligner(config)), reference, lengths)


if __name__ == "__main__":
    main()
