"""Does the direct reading of MFA's models give MFA's own times, how fast, and does it tell wrong texts from right ones?

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.mfa FOLDER

FOLDER holds acoustic.zip, dictionary.dict, audio/*.wav with *.lab, and real output of `mfa align --single_speaker`:
json/*.json and csv/alignment_analysis.csv, which names the speakers. Where a recording is missing there, that of a
package is resampled (two_cities, in two ways) or that of the same sentence taken (oov).
"""

import csv
import json
import re
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile
import soxr

from curation.audio.wave import SAMPLE_RATE, Wave
from curation.models.store import resolve
from curation.stages.punctuate.base import Spoken, by_speaker
from curation.stages.punctuate.mfa.direct.aligner import Alignment, DirectAligner
from curation.stages.punctuate.mfa.direct.features import cepstra, features
from curation.stages.punctuate.mfa.direct.graph import SILENCE
from curation.stages.punctuate.mfa.models import MfaConfig
from curation.stages.punctuate.pocketsphinx import PocketSphinx
from tests.bench.inputs.speech import with_noise
from tests.support.real_speech import TWO_CITIES

FRAME = 0.01
Interval = tuple[float, float, str]


def audio(folder: Path, name: str, resampler: str) -> Wave:
    """A recording at 16 kHz."""
    own = folder / "audio" / f"{name}.wav"
    if own.is_file():
        return np.asarray(soundfile.read(own, dtype="float32")[0])
    if name == "oov":
        (own,) = (folder / "audio").glob("*0890.wav")
        return np.asarray(soundfile.read(own, dtype="float32")[0])
    samples, rate = soundfile.read(resolve(TWO_CITIES), dtype="float32")
    if resampler == "soxr":
        return np.asarray(soxr.resample(samples, rate, SAMPLE_RATE), np.float32)
    return np.asarray(scipy.signal.resample_poly(samples, 1, rate // SAMPLE_RATE), np.float32)


class Utterance:
    """A recording with MFA's words and phones."""

    def __init__(self, folder: Path, row: dict[str, str], resampler: str) -> None:
        self.name, self.speaker, self.printed = row["file"], row["speaker"], float(row["overall_log_likelihood"])
        tiers = json.loads((folder / "json" / f"{self.name}.json").read_text())["tiers"]
        self.words: list[Interval] = tiers["words"]["entries"]
        self.phones: list[Interval] = tiers["phones"]["entries"]
        self.wave = audio(folder, self.name, resampler)

    @property
    def spoken(self) -> Spoken:
        """What the aligner is given."""
        return Spoken(self.wave, [text for _, _, text in self.words], "en", self.speaker)


def phones_of(alignment: Alignment) -> tuple[list[tuple[float, float]], float]:
    """Times of the phones of words, and the log-likelihood per frame."""
    graph, path = alignment.graph, alignment.path
    edges = [0, *(np.flatnonzero(np.diff(graph.phone[path])) + 1).tolist(), len(path)]
    spans = [(start * FRAME, end * FRAME) for start, end in pairwise(edges) if graph.word[path[start]] != SILENCE]
    return spans, alignment.log_likelihood / len(path)


def alignments(aligner: DirectAligner, utterances: Sequence[Utterance]) -> dict[str, Alignment]:
    """The best path of each recording."""
    found = {}
    for group in by_speaker([each.spoken for each in utterances]):
        members = [utterances[index] for index in group]
        tokens = [aligner._normaliser.tokens(" ".join(each.spoken.words)) for each in members]
        model = aligner.model
        inputs = features([cepstra(each.wave, model.meta) for each in members], model.meta, model.lda)
        found |= zip([each.name for each in members], aligner._search_all(tokens, inputs), strict=True)
    return found


def equal(found: Sequence[Sequence[float]], wanted: Sequence[Interval]) -> int:
    """Edges that are in the same frame."""
    edges = zip(found, wanted, strict=True)
    return sum(abs(one[side] - other[side]) < FRAME / 2 for one, other in edges for side in (0, 1))


def agreement(folder: Path, resampler: str) -> None:
    """Print words, pauses, phones and log-likelihood by recording."""
    aligner = DirectAligner(config(folder))
    aligner.load()
    with (folder / "csv" / "alignment_analysis.csv").open() as file:
        utterances = [
            Utterance(folder, row, resampler) for row in sorted(csv.DictReader(file), key=lambda row: row["file"])
        ]
    placed = aligner.align_all([each.spoken for each in utterances])
    paths = alignments(aligner, utterances)
    print(
        f"two_cities by {resampler}\n"
        "| recording | words | pauses | phones | log-likelihood | MFA's |\n|---|---|---|---|---|---|"
    )
    totals = np.zeros((3, 2), int)
    for each, places in zip(utterances, placed, strict=True):
        assert places is not None
        times = [(one.start / SAMPLE_RATE, one.end / SAMPLE_RATE) for one in places if one]
        phones, likelihood = phones_of(paths[each.name])
        gaps = [[after[0] - before[1] > FRAME / 2 for before, after in pairwise(rows)] for rows in (times, each.words)]
        same = [gap for gap, other in zip(*gaps, strict=True) if other and gap]
        counts = np.array(
            [
                [equal(times, each.words), 2 * len(times)],
                [len(same), sum(gaps[1])],
                [equal(phones, each.phones), 2 * len(phones)],
            ]
        )
        totals += counts
        cells = " | ".join(f"{some} of {every}" for some, every in counts)
        print(f"| {re.sub('^sense.*-', 'librivox ', each.name)} | {cells} | {likelihood:.3f} | {each.printed:.3f} |")
    print("| all | " + " | ".join(f"{some} of {every}" for some, every in totals) + " | | |\n")


def config(folder: Path, **more: object) -> MfaConfig:
    """The models of the folder."""
    models = {"acoustic_model": f"path:{folder / 'acoustic.zip'}", "dictionary": f"path:{folder / 'dictionary.dict'}"}
    return MfaConfig.model_validate({**models, **more})


def clips(folder: Path) -> list[Spoken]:
    """The sentences, and two_cities in pieces of 8 words."""
    found = []
    for path in sorted((folder / "json").glob("*.json")):
        words: list[Interval] = json.loads(path.read_text())["tiers"]["words"]["entries"]
        samples = audio(folder, path.stem, "soxr")
        for at in range(0, len(words), 8 if path.stem == "two_cities" else len(words)):
            piece = words[at : at + 8] if path.stem == "two_cities" else words
            start, end = max(0, piece[0][0] - 0.1), piece[-1][1] + 0.1
            part = samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
            if path.stem != "oov" and len(piece) >= 7:
                found.append(Spoken(part, [text for _, _, text in piece], "en"))
    return found


def wrong_texts(folder: Path) -> None:
    """Print how many right texts are aligned, and how many of others, by `min_fit`; PocketSphinx for comparison."""
    right = clips(folder)
    wrong = [
        Spoken(one.wave, right[(index + step) % len(right)].words, "en")
        for index, one in enumerate(right)
        for step in range(1, 11, 2)
        if right[(index + step) % len(right)].words != one.words
    ]
    longer = [Spoken(one.wave, [*one.words[:3], "superlative", "foolishness", *one.words[3:]], "en") for one in right]
    print("| aligned | its own text | another's | with two words too many |\n|---|---|---|---|")
    for fit in (-4.0, -5.0, -6.0, -7.0, -8.0, -10.0):
        row(f"min_fit {fit:g}", DirectAligner(config(folder, min_fit=fit)), [right, wrong, longer])
    row("PocketSphinx", PocketSphinx(), [right, wrong, longer])
    print()


def row(title: str, aligner: DirectAligner | PocketSphinx, sets: Sequence[Sequence[Spoken]]) -> None:
    """Print how many of each set an aligner places."""
    aligner.load()
    counts = [f"{sum(map(bool, aligner.align_all(some)))} of {len(some)}" for some in sets]
    print(f"| {title} | " + " | ".join(counts) + " |")


def speed(folder: Path) -> None:
    """Print CPU seconds, the least of five runs, for the sentences and for two_cities."""
    made = {"models of MFA": DirectAligner(config(folder)), "PocketSphinx": PocketSphinx()}
    names = [path.stem for path in sorted((folder / "json").glob("*.json")) if path.stem != "oov"]
    given = [
        Spoken(audio(folder, name, "soxr"), (folder / "audio" / f"{name}.lab").read_text().split(), "en")
        for name in names
    ]
    short, long = [each for each in given if len(each.wave) < 10 * SAMPLE_RATE], given[-1:]
    print("| CPU seconds | to load | a second of speech, 3 to 7 s | of 44 s |\n|---|---|---|---|")
    for title, aligner in made.items():
        started = time.process_time()
        aligner.load()
        loaded = time.process_time() - started
        cells = [least(aligner, some) / sum(len(each.wave) / SAMPLE_RATE for each in some) for some in (short, long)]
        print(f"| {title} | {loaded:.2f} | " + " | ".join(f"{cell:.4f}" for cell in cells) + " |")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    large = resolve("pocketsphinx-en-us") / "cmudict-en-us.dict"
    started = time.process_time()
    aligner = DirectAligner(config(folder, dictionary=f"path:{large}"))
    aligner.load()
    loaded = time.process_time() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        f"a dictionary of 134,000 lines: {loaded:.2f} s to load; "
        f"memory {before // 1024} MiB before, {after // 1024} after"
    )


def least(aligner: DirectAligner | PocketSphinx, given: Sequence[Spoken]) -> float:
    """CPU seconds of the fastest of five runs."""
    found = []
    for _ in range(5):
        started = time.process_time()
        assert all(aligner.align_all(given))
        found.append(time.process_time() - started)
    return min(found)


def heard(wave: Wave) -> dict[str, tuple[Wave, float]]:
    """The recording, and as other voices, channels and rooms would have it; with how many times as long it became."""
    band = scipy.signal.butter(6, (300, 3400), "bandpass", fs=SAMPLE_RATE, output="sos")
    tilt = scipy.signal.lfilter([1, -0.9], [1], wave)
    return {
        "as recorded": (wave, 1.0),
        "telephone band": (scipy.signal.sosfilt(band, wave).astype(np.float32), 1.0),
        "treble up": ((tilt * np.abs(wave).max() / np.abs(tilt).max()).astype(np.float32), 1.0),
        "voice 12 % lower": (soxr.resample(wave, SAMPLE_RATE, SAMPLE_RATE * 1.12).astype(np.float32), 1.12),
        "voice 12 % higher": (soxr.resample(wave, SAMPLE_RATE, SAMPLE_RATE / 1.12).astype(np.float32), 1 / 1.12),
        "white noise at 15 dB": (with_noise(wave, 15.0, 0), 1.0),
    }


def adaptation(folder: Path) -> None:
    """Print how far word edges are from MFA's own, without adaptation, of what was recorded: with features as they are,
    and adapted to the two speakers, as MFA does without --single_speaker.
    """
    with (folder / "csv" / "alignment_analysis.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["file"] != "oov"]
    utterances = [Utterance(folder, row, "polyphase") for row in rows]
    print(
        "| | features | aligned | same frame | within 20 ms | above 50 ms | mean error |\n|---|---|---|---|---|---|---|"
    )
    for name in heard(utterances[0].wave):
        for adapt in (False, True):
            aligner = DirectAligner(config(folder, adapt_to_speakers=adapt))
            aligner.load()
            given, wanted = [], []
            for each in utterances:
                wave, longer = heard(each.wave)[name]
                given.append(replace(each.spoken, wave=wave))
                wanted.append([edge * longer for start, end, _ in each.words for edge in (start, end)])
            errors = []
            placed = aligner.align_all(given)
            for places, truth in zip(placed, wanted, strict=True):
                found = [edge / SAMPLE_RATE for one in places or () if one for edge in (one.start, one.end)]
                errors += np.abs(np.subtract(found, truth)).tolist() if len(found) == len(truth) else []
            off = np.array(errors) * 1000
            shares = [np.mean(off < 5), np.mean(off < 25), np.mean(off > 50)]
            cells = " | ".join(f"{share:.1%}" for share in shares)
            kind = "adapted" if adapt else "as they are"
            print(f"| {name} | {kind} | {sum(map(bool, placed))} of {len(placed)} | {cells} | {off.mean():.1f} ms |")
    print()


def main() -> None:
    """Print all tables."""
    folder = Path(sys.argv[1])
    for resampler in ("soxr", "polyphase"):
        agreement(folder, resampler)
    adaptation(folder)
    wrong_texts(folder)
    speed(folder)


if __name__ == "__main__":
    main()
