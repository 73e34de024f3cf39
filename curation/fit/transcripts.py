"""Utterances of a finished label pass with reference transcripts, from which `curation consensus fit` learns.

The text comes from the manifest (`transcript`, where the recording is one utterance), from an STM file (lines in time),
from a table of utterance ids and texts, or from what people have marked in a random sample of the build, each with the
number of utterances that it stands for.
"""

import csv
import io
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.fit.consensus import ReferenceUtterance
from curation.manifests.groups import all_groups
from curation.manifests.marks.effects import conflicts, draws, in_force
from curation.manifests.marks.files import Drawn, Mark, digest, read, stand_for
from curation.manifests.records import Hypothesis
from curation.pipeline.provenance import open_labelled
from curation.text.normalize import normalizer_for

MOSTLY = 0.9
"""Share of an STM line that must lie in an utterance for its words to be in it; below 1 - MOSTLY it is outside."""
NOT_SCORED = "ignore_time_segment_in_scoring"


@dataclass(frozen=True, slots=True)
class StmLine:
    """The reference from `start` to `end` (seconds) of a recording."""

    start: float
    end: float
    text: str


NO_TRANSCRIPT = "no transcript, or one that cannot be given to this utterance alone"
GONE = "mark of an utterance that the build does not have, or that no system has heard"
Find = Callable[["_Recording", Mapping[str, Any]], "Reference | str"]
"""What was said in an utterance, or why that is not known."""


@dataclass(frozen=True, slots=True)
class Reference:
    """What was said in an utterance."""

    text: str
    drawn: Drawn | None = None
    """The stratum of the sample, where a mark says it."""


def reference_utterances(
    root: str, transcripts: Path | None = None, *, marks: bool = False
) -> tuple[list[ReferenceUtterance], Counter[str]]:
    """The utterances of a build that have a transcript, and how many others were left out, by cause.

    `marks`: the transcripts are those of the marks of the build's random sample. The weights have a mean of 1.
    """
    left_out = Counter[str]()
    known = marked(read(Storage(root))) if marks else {}
    find = _marked(known) if marks else _finder(transcripts)
    unseen, drawn = {*known}, list[Drawn]()
    found: list[ReferenceUtterance] = []
    for recording in _recordings(root):
        for segment in filter(_answered, recording.segments):
            reference = find(recording, segment)
            unseen.discard(segment["id"])
            if isinstance(reference, str):
                left_out[reference] += 1
            elif not normalizer_for(segment["language"]).units(reference.text):
                left_out["transcript without words"] += 1
            else:
                found.append(_with_reference(recording, segment, reference.text))
                drawn += [reference.drawn] if reference.drawn else []
    left_out += Counter({GONE: len(unseen)})
    if not drawn:
        return found, left_out
    weights = stand_for(drawn)
    mean = math.fsum(weights) / len(weights)
    return [replace(item, weight=weight / mean) for item, weight in zip(found, weights, strict=True)], left_out


@dataclass(frozen=True, slots=True)
class _Recording:
    source: Mapping[str, Any]
    segments: list[dict[str, Any]]


def _recordings(root: str) -> Iterator[_Recording]:
    """All recordings with their segments; spans of a long one together."""
    _, build = open_labelled(root)
    for group in all_groups(build.out):
        chosen = build.select(group, ["language", "hypotheses", "text"])
        sources = chosen.spans["source"].to_pylist()
        segments = chosen.segments.select(["id", "start", "end", "language", "hypotheses", "text", "row"]).to_pylist()
        grouped: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for segment in segments:
            grouped[sources[segment["row"]]["id"]].append(segment)
        by_id = {source["id"]: source for source in sources}
        yield from (_Recording(by_id[name], items) for name, items in grouped.items())


def _answered(segment: Mapping[str, Any]) -> list[Hypothesis]:
    hypotheses = [
        Hypothesis(**{**item, "words": [], "scores": dict(item["scores"])}) for item in segment["hypotheses"] or []
    ]
    return [item for item in hypotheses if not item.error]


def _with_reference(recording: _Recording, segment: Mapping[str, Any], text: str) -> ReferenceUtterance:
    return ReferenceUtterance(
        id=segment["id"],
        group=recording.source["speaker"] or recording.source["id"],
        seconds=(segment["end"] - segment["start"]) / SAMPLE_RATE,
        language=segment["language"],
        hypotheses=_answered(segment),
        reference=text,
    )


def marked(marks: Iterable[Mark]) -> dict[str, tuple[Mark, Drawn] | str]:
    """What marks say of the text of each utterance: the last of the random sample that says what was said there (its
    text is right, or another one was written); else why none does.
    """
    standing = in_force(marks)
    disputed, drawn = {*conflicts(standing)}, draws(standing)
    found: dict[str, tuple[Mark, Drawn] | str] = {}
    for mark in standing:
        if mark.kind != "text":
            continue
        if mark.id not in drawn:
            found[mark.id] = "mark of no random sample"
        elif mark in disputed:
            found[mark.id] = "mark in conflict with another"
        elif mark.verdict == "wrong" and not mark.text:
            found[mark.id] = "marked wrong without the right text: write it, the fit is too sure of texts like it else"
        else:
            found[mark.id] = mark, drawn[mark.id]
    return found


def _marked(known: Mapping[str, tuple[Mark, Drawn] | str]) -> Find:
    """What people have written; or the text of the build, where they saw it and marked it as right."""

    def find(_: _Recording, segment: Mapping[str, Any]) -> Reference | str:
        said = known.get(segment["id"], NO_TRANSCRIPT)
        if isinstance(said, str):
            return said
        mark, drawn = said
        if mark.text:
            return Reference(mark.text, drawn)
        if mark.text_seen != digest(segment["text"]):
            return "marked as right, of a text that has changed"
        return Reference(segment["text"] or "", drawn)

    return find


def _finder(transcripts: Path | None) -> Find:
    """What finds the transcript of an utterance."""
    find = _texts(transcripts)

    def found(recording: _Recording, segment: Mapping[str, Any]) -> Reference | str:
        text = find(recording, segment)
        return NO_TRANSCRIPT if text is None else Reference(text)

    return found


def _texts(transcripts: Path | None) -> Any:
    """A function (recording, segment) -> text, or None."""
    if transcripts is None:
        return _of_manifest
    if transcripts.suffix == ".stm":
        lines = read_stm(transcripts)
        return lambda recording, segment: _of_stm(lines, recording, segment)
    texts = read_texts(transcripts)
    return lambda _, segment: texts.get(segment["id"])


def _of_manifest(recording: _Recording, segment: Mapping[str, Any]) -> str | None:
    """The transcript of the recording, where this utterance is its only speech."""
    speech = sum(item["end"] - item["start"] for item in recording.segments)
    alone = segment["end"] - segment["start"] >= MOSTLY * speech
    return recording.source["transcript"] or None if alone else None


def _of_stm(lines: Mapping[str, list[StmLine]], recording: _Recording, segment: Mapping[str, Any]) -> str | None:
    source = recording.source
    names = (source["id"], Path(source["path"]).stem)
    known = next((lines[name] for name in names if name in lines), [])
    return text_between(known, segment["start"] / SAMPLE_RATE, segment["end"] / SAMPLE_RATE)


def text_between(lines: Sequence[StmLine], start: float, end: float) -> str | None:
    """The lines that lie between two times (s); None where there is none, or one lies half in and half out."""
    inside = []
    for line in sorted(lines, key=lambda item: item.start):
        share = (min(line.end, end) - max(line.start, start)) / max(line.end - line.start, 1e-6)
        if share <= 1 - MOSTLY:
            continue
        if share < MOSTLY or NOT_SCORED in line.text.lower():
            return None
        inside.append(line.text)
    return " ".join(inside) or None


def read_stm(path: Path) -> dict[str, list[StmLine]]:
    """NIST STM: recording, channel, speaker, start, end, (<labels>), text. Raises ConfigError with the line."""
    lines: dict[str, list[StmLine]] = defaultdict(list)
    for number, line in enumerate(_read(path).split("\n"), start=1):
        if not line.strip() or line.startswith(";;"):
            continue
        fields = line.split(maxsplit=5)
        try:
            name, start, end = fields[0], float(fields[3]), float(fields[4])
        except (IndexError, ValueError):
            msg = f"{path}, line {number}: expected `recording channel speaker start end text`, found {line[:80]!r}"
            raise ConfigError(msg) from None
        text = fields[5] if len(fields) > 5 else ""
        if text.startswith("<"):
            text = text.partition(">")[2]
        lines[name].append(StmLine(start, end, text.strip()))
    return dict(lines)


def read_texts(path: Path) -> dict[str, str]:
    """Utterance id -> text of a .csv or .jsonl with the columns `id` and `text`. Raises ConfigError."""
    content = _read(path)
    try:
        if path.suffix == ".csv":
            rows: list[Any] = list(csv.DictReader(io.StringIO(content)))
        else:
            rows = [json.loads(line) for line in content.split("\n") if line.strip()]
        return {str(row["id"]): str(row["text"] or "") for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path}: expected .stm, or .csv or .jsonl with the columns id and text ({type(error).__name__}: {error})"
        raise ConfigError(msg) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"cannot read the transcripts {path}: {error}"
        raise ConfigError(msg) from None
