"""Accuracy of the default build on pyannote's two-speaker sample: DER, and WER of the final text.

    python -m tests.bench.accuracy.build

DER by pyannote.metrics, no collar, of the segments with a speaker against sample.rttm. WER by jiwer against
sample.stm after Whisper's English normalisation; a word of the reference is placed by dividing its turn evenly.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jiwer
from pyannote.core import Annotation, Segment
from pyannote.database.util import load_rttm
from pyannote.metrics.diarization import DiarizationErrorRate

from curation.audio.wave import SAMPLE_RATE
from curation.models.store import resolve
from curation.pipeline.config import load_config
from curation.pipeline.run import build
from curation.text.normalize import normalizer_for
from tests.support.builds import labelled_segments, table

SAMPLE = "pkg:pyannote.audio:sample"


def reference_words(stm: Path) -> list[tuple[float, str]]:
    """(time, word) in the middle of an equal share of its turn."""
    words = []
    for line in stm.read_text().splitlines():
        _, _, _, start, end, text = line.split(maxsplit=5)
        turn = text.split()
        step = (float(end) - float(start)) / len(turn)
        words += [(float(start) + (index + 0.5) * step, word) for index, word in enumerate(turn)]
    return words


def word_error_rate(utterances: Sequence[dict[str, Any]], words: list[tuple[float, str]]) -> tuple[float, int]:
    """WER over the utterances, and how many reference words they cover."""
    normalizer = normalizer_for("en")
    references, texts = [], []
    for item in utterances:
        start, end = item["start"] / SAMPLE_RATE, item["end"] / SAMPLE_RATE
        inside = " ".join(word for time, word in words if start <= time < end)
        references.append(" ".join(normalizer.units(inside)) or "-")
        texts.append(" ".join(normalizer.units(item["text"])))
    return jiwer.wer(references, texts), sum(len(text.split()) for text in references)


def hypothesis(utterances: Sequence[dict[str, Any]]) -> Annotation:
    annotation = Annotation()
    for number, item in enumerate(utterances):
        annotation[Segment(item["start"] / SAMPLE_RATE, item["end"] / SAMPLE_RATE), number] = item["speaker"]
    return annotation


def main() -> None:
    folder = resolve(SAMPLE)
    with tempfile.TemporaryDirectory() as name:
        build(load_config(overrides=["engine.runtime=in-process"]), [str(folder / "sample.wav")], name)
        segments = labelled_segments(Path(name))
        kept = set(table(Path(name), "shards")["id"].to_pylist())
    spoken = [segment for segment in segments if segment["speaker"]]
    (reference,) = load_rttm(folder / "sample.rttm").values()
    for what, skip in (("overlap scored", False), ("where one person speaks", True)):
        der = DiarizationErrorRate(collar=0.0, skip_overlap=skip)(reference, hypothesis(spoken))
        print(f"DER {what}: {der:.1%}, {len({segment['speaker'] for segment in spoken})} speakers")
    words = reference_words(folder / "sample.stm")
    texts = [segment for segment in segments if segment["text"]]
    for what, chosen in (("kept", [s for s in texts if s["id"] in kept]), ("all with a text", texts)):
        rate, count = word_error_rate(chosen, words)
        print(f"WER of the final text, {what}: {rate:.1%} of {count} words in {len(chosen)} utterances")


if __name__ == "__main__":
    main()
