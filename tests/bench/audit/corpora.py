"""A synthetic published corpus of any size in which every segment differs: scores, texts, ids, speakers.

Scores are drawn independently, so that a cube of them has as many cells as there can be; a tenth of the segments breaks
each threshold. The other build of the same recordings (`AFTER`) has stricter thresholds, other texts and scores here
and there, and boundaries that have moved.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.storage import Storage
from curation.manifests import ledger, schemas
from curation.manifests.columns.maps import nulls_for
from curation.manifests.index import FILE, ShardIndex
from curation.manifests.schemas import SHARD_HYPOTHESIS
from curation.manifests.segments import table as segments
from curation.manifests.segments.table import SegmentTable
from curation.pipeline.assemble import declared_scores
from curation.pipeline.config import load_config
from curation.pipeline.provenance import write_config
from curation.pipeline.rules import rules_of

BEFORE: Sequence[str] = ("tokenize=null",)
AFTER: Sequence[str] = (*BEFORE, "consensus.max_pwer=0.10", "boundary.max_cut=0.4")
PART = 500_000
BATCH = 50_000
PER_RECORDING = 20
SPEAKERS = 50_000
LANGUAGES = ("en", "de", "zh", "fr", "es", "ja", "ko", "it", "ru", "pt", "nl", "pl")
SYSTEMS = ("whisper-base", "moonshine-tiny", "whisper-tiny.en")
VOCABULARY = 30_000
SYLLABLES = [start + end for start in "bdfgklmnprstvz" for end in ("a", "e", "i", "o", "u", "an", "er", "is")]
BROKEN, UNHEARD, SHORT, MISHEARD, MOVED, OTHER = 0.1, 0.05, 0.04, 0.06, 0.02, 0.05
"""Shares: of segments that break a threshold, that have no pWER, and that a stage rejects as too short; of words that a
system hears differently; of segments that begin elsewhere, and that have another text, in the second build."""


def write_corpus(out: Storage, count: int, overrides: Sequence[str] = BEFORE) -> None:
    """A published corpus of so many segments, without shards, speech and summary; what is there already stays."""
    config = load_config(overrides=list(overrides))
    table = SegmentTable(declared_scores(), rules_of(config))
    names = []
    for number, first in enumerate(range(0, count, PART)):
        names.append(ledger.file_name(number))
        if out.exists(f"{segments.FOLDER}/{names[-1]}"):
            continue  # of a run that was stopped
        with out.table_writer(f"{ledger.FOLDER}/{names[-1]}", schemas.LEDGER, ledger.ROW_GROUP_ROWS):
            pass
        with out.table_writer(f"{segments.FOLDER}/{names[-1]}", table.schema, segments.ROW_GROUP_ROWS) as writer:
            for start in range(first, min(first + PART, count), BATCH):
                writer.add(rows(table, start, min(BATCH, count - start), changed=overrides is AFTER))
    index = ShardIndex([], ledger=names, segments=names, rules=table.described_rules())
    out.write_json(FILE, index.to_json())
    write_config(out, config)


def rows(table: SegmentTable, start: int, count: int, *, changed: bool = False) -> pa.Table:
    """Segments from a number on."""
    draw, number = np.random.default_rng(start), np.arange(start, start + count)
    begin = number % PER_RECORDING * 30 * SAMPLE_RATE
    end = begin + (np.clip(draw.gamma(3.0, 2.2, count), 0.8, 29.0) * SAMPLE_RATE).astype(np.int64)
    scores, said = _scores(table, draw, count), _texts(draw, count)
    speakers = np.minimum(draw.zipf(1.2, count), 2**40) * 7919 % SPEAKERS
    languages = np.array(LANGUAGES)[np.minimum(draw.geometric(0.25, count), len(LANGUAGES)) - 1]
    short = draw.random(count) < SHORT
    if changed:
        begin = _change(np.random.default_rng([start, 1]), begin, scores, said)
    recording = np.char.add("r", np.char.zfill((number // PER_RECORDING).astype(str), 8))
    first, last = (np.char.zfill(place.astype(str), 10) for place in (begin, end))
    columns = {
        **_verdicts(table, scores, short),
        **{name: nulls_for(np.where(short, np.nan, values)) for name, values in scores.items()},
        **{name: pc.if_else(short, pa.scalar(None, values.type), values) for name, values in said.items()},
        "id": pa.array(
            np.char.add(recording, np.char.add(np.char.add("-", first), np.char.add("-", last))), mask=short
        ),
        "recording_id": pa.array(recording),
        "path": pa.array(np.char.add(np.char.add("https://example.org/talks/", recording), ".opus")),
        "start": pa.array(begin / SAMPLE_RATE),
        "end": pa.array(end / SAMPLE_RATE),
        "seconds": pa.array((end - begin) / SAMPLE_RATE),
        "speaker": pa.array(np.char.add("speaker-", speakers.astype(str))),
        "language": pa.array(languages),
    }
    missing = {field.name: pa.nulls(count, field.type) for field in table.schema if field.name not in columns}
    arrays = {**columns, **missing}
    return pa.table([arrays[field.name].cast(field.type) for field in table.schema], schema=table.schema)


@cache
def _limits() -> list[dict[str, Any]]:
    """The rules of the first build, around which scores are drawn for both."""
    return SegmentTable(declared_scores(), rules_of(load_config(overrides=list(BEFORE)))).described_rules()


def _scores(table: SegmentTable, draw: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """Values without any dependence: exponential, with `BROKEN` beyond the threshold, where a rule tries them."""
    scores = {name: draw.random(count) for name in table.by_column}
    for rule in _limits():
        beyond, limit = np.log(scores[rule["column"]]) / np.log(BROKEN), float(rule["threshold"])
        scores[rule["column"]] = limit * beyond if rule["breaks"] != "<" else limit * (2 - beyond)
    scores["systems"], scores["words"] = (draw.integers(0, most, count).astype(float) for most in (4, 60))
    scores["pwer"][draw.random(count) < UNHEARD] = np.nan
    return scores


def _verdicts(table: SegmentTable, scores: dict[str, np.ndarray], short: np.ndarray) -> dict[str, pa.Array]:
    """The verdicts of `manifests.verdicts.judge`, without making maps of so many scores."""
    count, columns = len(short), {score.name: name for name, score in table.by_column.items()}
    broken, missing = np.zeros(count, np.uint32), np.zeros(count, np.uint32)
    status = np.where(short, "rejected", "kept")
    reason = np.where(short, "diarize.min_seconds", "").astype("<U40")
    for rule in table.described_rules():
        values = scores[rule["column"]]
        applies = np.isnan(scores[columns[rule["unless"]]]) if rule["unless"] else np.ones(count, bool)
        hit, absent = table.rules[rule["bit"]].broken_by(values) & applies, np.isnan(values) & applies
        first = (status == "kept") & (hit | absent & rule["required"])
        status[first], reason[first] = np.where(absent[first], "failed", "rejected"), rule["field"]
        broken[hit] |= np.uint32(1 << rule["bit"])
        missing[absent] |= np.uint32(1 << rule["bit"])
    bits = {"rules_broken": pa.array(broken, mask=short), "rules_missing": pa.array(missing, mask=short)}
    return {**bits, "status": pa.array(status), "reason": pa.array(reason, mask=status == "kept")}


def _texts(draw: np.random.Generator, count: int) -> dict[str, pa.Array]:
    """Three to twenty words each, and what three systems have heard."""
    size, offsets = len(SYSTEMS), np.concatenate([[0], np.cumsum(draw.integers(3, 21, count))]).astype(np.int32)
    words = np.minimum(draw.zipf(1.3, offsets[-1]), VOCABULARY**2) % VOCABULARY
    heard = []
    for _ in SYSTEMS:
        mine = np.where(draw.random(len(words)) < MISHEARD, draw.integers(0, VOCABULARY, len(words)), words)
        heard.append(pc.binary_join(pa.ListArray.from_arrays(offsets, _vocabulary().take(mine)), " "))
    known = {
        "text": pa.concat_arrays(heard).take(np.arange(size * count).reshape(size, count).T.ravel()),
        "system": pa.array(list(SYSTEMS) * count),
        "confidence": pa.array(draw.random(size * count)),
    }
    items = pa.StructArray.from_arrays(
        [known.get(field.name, pa.nulls(size * count, field.type)).cast(field.type) for field in SHARD_HYPOTHESIS],
        fields=list(SHARD_HYPOTHESIS),
    )
    lists = pa.ListArray.from_arrays(np.arange(0, size * count + 1, size, dtype=np.int32), items)
    outlier = pa.array(np.array(SYSTEMS)[draw.integers(0, size, count)], mask=draw.random(count) > BROKEN)
    return {"text": heard[0], "hypotheses": lists, "outlier": outlier}


def _change(
    draw: np.random.Generator, begin: np.ndarray, scores: dict[str, np.ndarray], said: dict[str, pa.Array]
) -> np.ndarray:
    """Make scores and texts those of the other build; where segments begin there."""
    moved, other = (draw.random(len(begin)) < share for share in (MOVED, OTHER))
    scores["pwer"][other] *= draw.random(int(other.sum()))
    said["text"] = pc.if_else(other, pc.struct_field(pc.list_element(said["hypotheses"], 1), "text"), said["text"])
    return np.where(moved, begin + SAMPLE_RATE // 10, begin)


@cache
def _vocabulary() -> pa.Array:
    draw = np.random.default_rng(0)
    return pa.array(["".join(draw.choice(SYLLABLES, draw.integers(1, 5))) for _ in range(VOCABULARY)])
