"""`segments/`: a row for every interval that is not non-speech, whatever became of it, with texts and all scores.

    SELECT reason, text, pwer FROM 'OUT/segments/*.parquet' WHERE status = 'rejected'      -- DuckDB

The rows are those of the ledger, in its order, so that the hours of both agree. Every declared score has a column of
its own; the rules of the thresholds, with their bits, are in the metadata of each file and in the index of the corpus.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.wave import SAMPLE_RATE
from curation.core.declarations import Score
from curation.core.stores.urls import without_credentials
from curation.manifests.columns import rights
from curation.manifests.columns.maps import Entries, nulls_for, one_chunk, or_null, with_value
from curation.manifests.columns.tiers import Tier, tier_of
from curation.manifests.ledger import NON_SPEECH
from curation.manifests.schemas import LEDGER, SEGMENT_COLUMNS, SEGMENT_REST, SHARD_HYPOTHESIS, Column
from curation.manifests.selection import CONFIDENCE
from curation.manifests.shards import CONFIDENCES, hypothesis_lists, unless_human, voice_names
from curation.manifests.verdicts import Rule
from curation.manifests.voices.names import NONE, VoiceNames

FOLDER = "segments"
FORMAT = "1"
ROW_GROUP_ROWS = 2**15
"""Texts of these are in memory at once."""
SPEECH_COLUMNS = (
    *("scores", "language", "text", "notes"),
    *(f"hypotheses.list.element.{field.name}" for field in SHARD_HYPOTHESIS),
)
"""That are read of `schemas.SPEECH`: no words, no audio."""
OUTLIER = "consensus.outlier"


@dataclass(frozen=True)
class SegmentTable:
    """The table `segments` of a build: its columns, and what makes them."""

    scores: Sequence[Score]
    """All that are declared."""
    rules: Sequence[Rule]
    tiers: Sequence[Tier] = ()
    """Best first."""

    @cached_property
    def by_column(self) -> dict[str, Score]:
        """The score of each column that has one: the first that is declared, never in place of another column."""
        taken = {item.name for item in (*SEGMENT_COLUMNS, *SEGMENT_REST)}
        found: dict[str, Score] = {}
        for score in self.scores:
            if score.column and score.column not in taken:
                found.setdefault(score.column, score)
        return found

    @property
    def columns(self) -> list[Column]:
        """All columns, documented."""
        return [*SEGMENT_COLUMNS, *(_documented(name, score) for name, score in self.by_column.items()), *SEGMENT_REST]

    @cached_property
    def schema(self) -> pa.Schema:
        """With unit and meaning of each column, the rules, and the score of each column."""
        fields = [
            pa.field(
                item.name, item.type, metadata={"meaning": item.meaning, **({"unit": item.unit} if item.unit else {})}
            )
            for item in self.columns
        ]
        return pa.schema(
            fields,
            metadata={
                "curation.format": FORMAT,
                "curation.rules": json.dumps(self.described_rules()),
                "curation.scores": json.dumps({name: score.name for name, score in self.by_column.items()}),
            },
        )

    def described_rules(self) -> list[dict[str, Any]]:
        """Each rule with its bit, and the column of its score; empty: it is among `scores`."""
        names = {score.name: name for name, score in self.by_column.items()}
        return [
            {"bit": bit, **asdict(rule), "column": names.get(rule.score, "")} for bit, rule in enumerate(self.rules)
        ]

    def rows(
        self,
        intervals: pa.Table,
        segments: pa.Table,
        speech: pa.Table,
        spans: pa.Table,
        named: VoiceNames = NONE,
    ) -> pa.Table:
        """The rows of `ledger.intervals` that are not non-speech.

        `segments` are those of the selection, `speech` their `SPEECH_COLUMNS`, `spans` its spans; `named` are the
        voices across recordings.
        """
        mine = intervals.filter(pc.not_equal(intervals["status"], NON_SPEECH))
        segment, span = one_chunk(mine["segment"]), one_chunk(mine["span"])
        texts, judged = speech.take(segment), segments.take(segment)
        source = one_chunk(spans["source"]).take(span)
        hypotheses, text = hypothesis_lists(texts["hypotheses"]), or_null(texts["text"])
        text = pc.if_else(pc.greater(pc.list_value_length(hypotheses), 0), pc.fill_null(text, ""), text)
        human = one_chunk(judged["human_text"])
        text = pc.coalesce(human, text)
        nobody = pc.and_(pc.equal(mine["speaker"], ""), pc.not_equal(mine["status"], "kept"))
        voices = voice_names(source, mine["speaker"], judged["one_voice"])
        speaker = pc.if_else(nobody, pa.scalar(None, pa.string()), voices)
        columns = {name: mine[name] for name in LEDGER.names if name != "speaker"} | {
            "id": mine["utterance_id"],
            "path": _without_credentials(mine["path"]),
            "start": pc.divide(pc.cast(mine["start_sample"], pa.float64()), float(SAMPLE_RATE)),
            "end": pc.divide(pc.cast(mine["end_sample"], pa.float64()), float(SAMPLE_RATE)),
            "speaker": speaker,
            "voice_id": named.of(mine["recording_id"], speaker),
            "language": pc.coalesce(or_null(texts["language"]), or_null(pc.struct_field(source, "language"))),
            "detail": or_null(_without_credentials(mine["detail"])),
            "rules_broken": judged["rules_broken"],
            "rules_missing": judged["rules_missing"],
            "marked": judged["marked"],
            "text": text,
            "hypotheses": hypotheses,
            **_rights(pc.struct_field(source, "extra")),
            "outlier": pc.map_lookup(one_chunk(texts["notes"]), pa.scalar(OUTLIER), "first"),
            "staging_file": judged["file"],
            "staging_row": judged["place"],
            **self._scores(texts, one_chunk(spans["scores"]).take(span), judged["recalibrated"]),
        }
        for name, score in self.by_column.items():
            if score.name in CONFIDENCES:
                columns[name] = unless_human(columns[name], human)
        columns["tier"] = tier_of(columns, self.tiers)
        return pa.table([columns[name] for name in self.schema.names], schema=self.schema)

    def _scores(self, texts: pa.Table, of_spans: pa.Array, recalibrated: pa.ChunkedArray) -> dict[str, pa.Array]:
        """The columns of the scores, and the list of the others; those of a segment count before those of its span."""
        scores = with_value(texts["scores"], CONFIDENCE, recalibrated)
        own = Entries.of(scores).over(Entries.of(of_spans))
        lists = one_chunk(texts["hypotheses"])
        parents = pc.list_parent_indices(lists).to_numpy()
        heard = Entries.of(pc.struct_field(lists.flatten(), "scores")).under(parents, len(lists))
        names: dict[bool, list[str]] = {True: [], False: []}
        for name, score in self.by_column.items():
            names[score.of == "hypothesis"].append(name)
        columns: dict[str, pa.Array] = {}
        for entries, mine in ((own, names[False]), (heard, names[True])):
            values = entries.columns([self.by_column[name].name for name in mine])
            columns |= dict(zip(mine, map(nulls_for, values), strict=True))
        return {**columns, "scores": own.lists([self.by_column[name].name for name in names[False]])}


def _documented(name: str, score: Score) -> Column:
    origin = {"segment": "", "recording": ", of the recording", "hypothesis": ", the highest of the hypotheses"}[
        score.of
    ]
    return Column(name, pa.float64(), score.unit, f"{score.meaning} (`{score.name}`{origin})")


def _without_credentials(texts: pa.ChunkedArray) -> pa.Array:
    """Many rows have the same path."""
    distinct = one_chunk(texts).dictionary_encode()
    shown = [text and without_credentials(text) for text in distinct.dictionary.to_pylist()]
    return pa.array(shown, pa.string()).take(distinct.indices)


def _rights(extra: pa.Array) -> dict[str, pa.Array]:
    found = rights.published(extra)
    return {name: found[name] for name in rights.COLUMNS}


def scores_of(schema: pa.Schema) -> dict[str, str]:
    """The name of the score of each column that has one, as the files say."""
    found: dict[str, str] = json.loads((schema.metadata or {}).get(b"curation.scores", b"{}"))
    return found
