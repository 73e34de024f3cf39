"""Accuracy of each ASR system and of the ways to combine them, on real speech.

    OMP_NUM_THREADS=1 python -m tests.bench.accuracy.asr [--noise 5] [--pocketsphinx] [--utterances]

Prints WER by corpus (Whisper's English normalisation), the seconds of each system per second of audio at one thread,
and, with --utterances, pWER and the WER of the final text of each utterance.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace

import jiwer
import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.core.timing import take_model_seconds
from curation.manifests.records import Hypothesis, Recording, Segment, Source
from curation.stages.consensus.agreement import edit_distances, pairwise_wer, word_error_rates
from curation.stages.consensus.stage import Consensus
from curation.stages.consensus.vote import combine
from curation.stages.transcribe.pocketsphinx import PocketSphinxConfig
from curation.stages.transcribe.stage import Transcribe, TranscribeConfig
from curation.text.normalize import normalizer_for
from tests.bench.inputs.speech import Passage, passages, with_noise

ENGLISH = normalizer_for("en")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--noise", type=float, help="add white noise at this SNR (dB)")
    parser.add_argument("--pocketsphinx", action="store_true", help="PocketSphinx as a fourth system")
    parser.add_argument("--utterances", action="store_true", help="one line per utterance")
    options = parser.parse_args()
    material = passages()
    if options.noise is not None:
        material = [
            replace(item, waves=[with_noise(wave, options.noise, seed) for seed, wave in enumerate(item.waves)])
            for item in material
        ]
    segments = transcribe(material, pocketsphinx=options.pocketsphinx)
    print_rates(material, segments)
    print_speed(material)
    if options.utterances:
        print_utterances(material, segments)


def transcribe(material: Sequence[Passage], *, pocketsphinx: bool) -> list[list[Segment]]:
    config = TranscribeConfig()
    if pocketsphinx:
        config = TranscribeConfig(systems=[*config.systems, PocketSphinxConfig(model="pocketsphinx-en-us")])
    stage = Transcribe(config)
    stage.setup()
    take_model_seconds()
    grouped = [[Segment(0, len(wave), audio=wave) for wave in item.waves] for item in material]
    everything = [segment for group in grouped for segment in group]
    recording = Recording(Source(id="bench", path="bench", language="en"), segments=everything)
    stage.process([recording])
    Consensus().process([recording])
    return grouped


def systems_to_compare(segments: list[list[Segment]]) -> dict[str, Callable[[Segment], str]]:
    """Name -> the text that it makes of a segment."""

    def single(system: str) -> Callable[[Segment], str]:
        return lambda segment: next(item.text for item in segment.hypotheses if item.system == system)

    def combined(method: str, weigh: Callable[[Hypothesis], float | None]) -> Callable[[Segment], str]:
        def text(segment: Segment) -> str:
            heard = [replace(item, confidence=weigh(item)) for item in segment.hypotheses]
            distances = edit_distances([ENGLISH.units(item.text) for item in heard])
            return combine(heard, distances, ENGLISH, method).text

        return text

    names = [item.system for item in segments[0][0].hypotheses]
    return {name: single(name) for name in names} | {
        f"{method}, {label}": combined(method, weigh)
        for method in ("mbr", "vote")
        for label, weigh in {
            "unweighted": lambda _: None,
            "confidence": lambda item: item.confidence,
            "confidence squared": lambda item: item.confidence and item.confidence**2,
        }.items()
    }


def errors(reference: str, text: str) -> tuple[int, int]:
    """(errors, reference words) after normalisation."""
    measured = jiwer.process_words(ENGLISH.clean(reference), ENGLISH.clean(text))
    return measured.substitutions + measured.deletions + measured.insertions, len(ENGLISH.units(reference))


def print_rates(material: Sequence[Passage], segments: list[list[Segment]]) -> None:
    corpora = list(dict.fromkeys(item.corpus for item in material))
    print(f"{'WER':28}", *(f"{corpus:>12}" for corpus in [*corpora, "all"]))
    for name, text in systems_to_compare(segments).items():
        counts = {corpus: np.zeros(2) for corpus in corpora}
        for item, group in zip(material, segments, strict=True):
            counts[item.corpus] += errors(item.reference, " ".join(text(segment) for segment in group))
        rates = [*counts.values(), sum(counts.values())]
        print(f"{name:28}", *(f"{wrong / words:12.4f}" for wrong, words in rates))


def print_speed(material: Sequence[Passage]) -> None:
    seconds = sum(len(wave) for item in material for wave in item.waves) / SAMPLE_RATE
    print(f"\nseconds per second of audio, 1 thread ({seconds:.0f} s of audio)")
    for name, spent in take_model_seconds().items():
        print(f"{name:28} {spent / seconds:.3f}")


def print_utterances(material: Sequence[Passage], segments: list[list[Segment]]) -> None:
    print("\n pWER   WER  conf  text")
    for item, group in zip(material, segments, strict=True):
        for segment in group:
            alone = len(group) == 1
            wrong, words = errors(item.reference, segment.text) if alone else (np.nan, 1)
            rates = word_error_rates([ENGLISH.units(hypothesis.text) for hypothesis in segment.hypotheses])
            print(
                f"{pairwise_wer(rates):5.2f} {wrong / words:5.2f} {segment.scores['confidence']:5.2f}  {segment.text}"
            )


if __name__ == "__main__":
    main()
