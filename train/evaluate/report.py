"""The report of an evaluation: one row for each task, language and group, and every utterance as JSONL and Parquet."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.audio.files import write_wave
from curation.train.evaluate.run import EVALUATION_TASKS, Judges, Result
from curation.train.evaluate.scores import LEVEL, RESAMPLES, Edits, Estimate, mean, rate
from curation.train.infer.sampling import Sampling

NORMALIZERS = {
    "whisper-english": "whisper-english is the Whisper paper's, with numbers digit by digit",
    "unicode": "unicode is NFKC, lower case, no punctuation",
    "none": "none compares texts as they are",
}
COUNTS = ("substitutions", "deletions", "insertions", "length")


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """Figures of the utterances of one task, language and group. `wer` is None for languages without spaces."""

    task: str
    language: str
    group: dict[str, str]
    utterances: int
    failed: int
    normalizer: str
    wer: Estimate | None
    cer: Estimate | None
    similarity: Estimate | None
    source_similarity: Estimate | None
    nearer_target: float | None
    """VC: share of the utterances that are nearer to the reference's voice than to the source's."""
    real_time_factor: float | None
    """Seconds of computing per second of audio, averaged over the batch."""


@dataclass(frozen=True, slots=True)
class Report:
    """All rows, and the conditions that they were measured under."""

    rows: list[SummaryRow]
    about: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"about": self.about, "rows": [asdict(row) for row in self.rows]}


def report(
    results: Sequence[Result], judges: Judges, by: Sequence[str] = (), sampling: Sampling | None = None
) -> Report:
    """Summarise; `by` names columns of the manifest (or `speaker`) whose values are groups of their own.

    `sampling` are the sampling settings of the model's speech tokens, if any.
    """

    def key(result: Result) -> tuple[int, str, tuple[str, ...]]:
        return EVALUATION_TASKS.index(result.task), result.item.language, tuple(_column(result, name) for name in by)

    ordered = sorted(results, key=key)
    rows = [_row(list(group), dict(zip(by, values, strict=True))) for (_, _, values), group in groupby(ordered, key)]
    used = sorted({f"{row.language}: {row.normalizer}" for row in rows})
    about = {
        "rates": "edits of all utterances / words or characters of all references (jiwer), after normalisation",
        "intervals": f"{100 * LEVEL:g} %, percentile bootstrap over utterances, {RESAMPLES} resamples",
        "normalization": "; ".join([*used, *(text for name, text in NORMALIZERS.items() if name in " ".join(used))]),
    }
    if judges.recogniser is not None:
        about["recogniser"] = judges.recogniser.name
    if judges.speakers is not None:
        about["similarity"] = f"cosine of {judges.speakers.name} embeddings"
    if any(result.item.reference_text for result in results):
        about["references"] = "the model was told what they say (tts)"
    if sampling is not None:
        penalty = f"repetition penalty {sampling.repetition_penalty:g}"
        about["sampling"] = (
            f"temperature {sampling.temperature:g}, top-p {sampling.top_p:g}, {penalty}, seed {sampling.seed}"
        )
    return Report(rows, about)


def _column(result: Result, name: str) -> str:
    return result.item.speaker if name == "speaker" else str(result.item.extra.get(name, ""))


def _row(results: list[Result], group: dict[str, str]) -> SummaryRow:
    good = [result for result in results if result.comparison is not None]
    comparisons = [result.comparison for result in good if result.comparison is not None]
    words = [one.words for one in comparisons if one.words is not None]
    pairs = [(one.similarity, one.source_similarity) for one in good]
    judged = [near > far for near, far in pairs if math.isfinite(near) and math.isfinite(far)]
    audio = sum(one.seconds for one in good)
    return SummaryRow(
        task=results[0].task,
        language=results[0].item.language,
        group=group,
        utterances=len(results),
        failed=len(results) - len(good),
        normalizer=results[0].normalizer,
        wer=rate(words) if words else None,
        cer=rate([one.characters for one in comparisons]) if comparisons else None,
        similarity=mean([near for near, _ in pairs]),
        source_similarity=mean([far for _, far in pairs]),
        nearer_target=sum(judged) / len(judged) if judged else None,
        real_time_factor=sum(one.compute_seconds for one in good) / audio if audio else None,
    )


def utterance_row(result: Result) -> dict[str, Any]:
    """One utterance as plain values; unknown ones are None."""
    found = result.comparison
    return {
        "id": result.item.id,
        "task": result.task,
        "language": result.item.language,
        "speaker": result.item.speaker,
        "path": result.item.path,
        "reference": result.item.reference,
        "reference_text": result.item.reference_text or None,
        "text": result.item.text,
        "hypothesis": result.hypothesis if found else None,
        "normalizer": result.normalizer,
        "normalized_text": found.reference if found else None,
        "normalized_hypothesis": found.hypothesis if found else None,
        **_counts("word", found.words if found else None),
        **_counts("character", found.characters if found else None),
        "similarity": _known(result.similarity),
        "source_similarity": _known(result.source_similarity),
        "seconds": result.seconds if found else None,
        "compute_seconds": result.compute_seconds if found else None,
        "error": result.error,
        "extra": json.dumps(result.item.extra, ensure_ascii=False),
    }


def _counts(unit: str, edits: Edits | None) -> dict[str, int | None]:
    return {f"{unit}_{name}": getattr(edits, name) if edits else None for name in COUNTS}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


NUMBERS = {
    **{f"{unit}_{name}": pa.int32() for unit in ("word", "character") for name in COUNTS},
    **dict.fromkeys(("similarity", "source_similarity", "seconds", "compute_seconds"), pa.float64()),
}


def write_report(folder: Path, results: Iterable[Result], summary: Report) -> None:
    """Write utterances.jsonl, utterances.parquet and summary.json."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [utterance_row(result) for result in results]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "utterances.jsonl").write_text("".join(lines), encoding="utf-8")
    schema = pa.schema([(name, NUMBERS.get(name, pa.string())) for name in (rows[0] if rows else {})])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), folder / "utterances.parquet")
    (folder / "summary.json").write_text(json.dumps(summary.to_json(), indent=2) + "\n", encoding="utf-8")


def write_speech(folder: Path, result: Result) -> None:
    """Write synthesised or converted speech to FOLDER/TASK/ID.wav."""
    if result.speech is not None:
        write_wave(folder / result.task / f"{result.item.id}.wav", result.speech)
