"""The rows of the page: what it shows of each segment of the sample."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.audio.flac import decode_flac
from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import KEY, Corpus
from curation.audit.page import cuts
from curation.audit.page.sample import Stratum
from curation.audit.page.sources import openable
from curation.audit.page.systems import Disagreement, written_units
from curation.core.errors import DataError, StorageError
from curation.core.storage import Storage
from curation.manifests.records import Hypothesis, Source
from curation.manifests.staging import BatchName, read_speech
from curation.stages.decode.stage import DecodeConfig

COLUMNS = [
    *("id", "recording", "path", "start", "seconds", "speaker", "language"),
    *("status", "reason", "value", "threshold", "detail", "broken", "missing", "marked"),
    *("text", "hypotheses", "units", "outlier", "scores", "more", "stratum"),
    *("words", "audio", "source", "peaks"),
]
"""Of a row, in order: `units` are those of the text and of each system that did not fail; `scores` follow the names in
meta, `more` are those without a column of their own."""
BATCH = 2_000


@dataclass
class RowWriter:
    """Makes rows, and writes their audio below `folder`."""

    out: Storage
    corpus: Corpus
    strata: Sequence[Stratum]
    folder: Path
    audio: cuts.Audio
    disagreement: Disagreement
    recordings: Sequence[str] = ()
    """Folders and URLs below which recordings may be opened."""
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    """Of the build."""
    later: bool = False
    """Word times and audio are asked for later, segment by segment (`cut`)."""
    sources_missing: int = 0
    """Cuts of which the recording could not be read, or may not be opened."""

    def rows(self) -> Iterator[list[Any]]:
        """All rows of the sample in random order."""
        self.corpus.database.execute(
            f"CREATE OR REPLACE TEMP TABLE chosen AS SELECT picked.place, picked.stratum, picked.key, segments.* "
            f"FROM segments JOIN picked ON {KEY} = picked.key"
        )
        ((count,),) = self.corpus.database.execute("SELECT count(*) FROM chosen").fetchall()
        for first in range(0, count, BATCH):
            found = self.corpus.ask(
                f"SELECT * FROM chosen WHERE place >= {first} AND place < {first + BATCH} ORDER BY place"
            )
            speech = {} if self.later else self._speech(found)
            for record in found:
                yield self.row(record, speech.get(record["key"], {}))

    def cut(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """What `row` has of speech, of one segment: times of words, and its audio, which is written."""
        speech = self._speech([record]).get(record["key"], {})
        found = {"words": _words(record, speech), **self._audio(record, speech)}
        return {name: _rounded(value) for name, value in found.items()}

    def row(self, record: Mapping[str, Any], speech: Mapping[str, Any]) -> list[Any]:
        """The values of `COLUMNS` of a segment; one that is not of the sample has no stratum."""
        heard = record["hypotheses"] or []
        if len(heard) > 1 and record.get("stratum") is not None:
            items = [Hypothesis(item["system"], item["text"] or "", error=item["error"] or "") for item in heard]
            self.disagreement.add(record["language"] or "", items, self.strata[record["stratum"]].weight)
        values = {
            **{name: record.get(name) for name in COLUMNS},
            "recording": record["recording_id"],
            "broken": record["rules_broken"],
            "missing": record["rules_missing"],
            "hypotheses": [[h["system"], h["text"], _rounded(h["confidence"]), h["error"] or None] for h in heard],
            "units": written_units(
                record["language"] or "", [record["text"], *(h["text"] for h in heard if not h["error"])]
            ),
            "scores": [self._score(name, record[column]) for column, name in self.corpus.scores.items()],
            "more": [[item["name"], self._score(item["name"], item["value"])] for item in record["scores"] or []],
            "words": _words(record, speech),
            **self._audio(record, speech),
        }
        return [_rounded(values[name]) for name in COLUMNS]

    @cached_property
    def _tried(self) -> set[str]:
        """Scores by which the page judges rows itself."""
        return {name for rule in self.corpus.rules for name in (rule.score, rule.unless)}

    def _score(self, name: str, value: float | None) -> float | None:
        """As it was measured, where a rounded one could lie on the other side of a threshold."""
        if value is None or not math.isfinite(value):
            return None
        return value if name in self._tried else float(f"{value:.9g}")

    def _speech(self, records: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
        """What the staging files have of utterances, by key: word times, and audio if it is wanted."""
        by_file: dict[str, list[Mapping[str, Any]]] = {}
        for record in records:
            if record["id"] is not None and record["staging_file"]:
                by_file.setdefault(record["staging_file"], []).append(record)
        columns = ["words"] if self.audio == "none" else ["words", "span_source", "audio"]
        found: dict[str, Mapping[str, Any]] = {}
        for name, mine in sorted(by_file.items()):
            mine.sort(key=lambda record: record["staging_row"])
            places = pa.table(
                {"id": [item["id"] for item in mine], "place": [item["staging_row"] for item in mine]},
                schema=pa.schema([("id", pa.string()), ("place", pa.int64())]),
            )
            speech = read_speech(self.out, BatchName.parse(name.rpartition("/")[2]), places, columns)
            found |= dict(zip((item["key"] for item in mine), speech.to_pylist(), strict=True))
        return found

    def _audio(self, record: Mapping[str, Any], speech: Mapping[str, Any]) -> dict[str, Any]:
        """Place of the published cut and of the recorded one, and the waveform; none where there is no audio."""
        nothing = {"audio": None, "source": None, "peaks": None}
        if self.audio == "none" or not speech:
            return nothing
        where, suffix = cuts.place(record["key"]), self.audio
        published = decode_flac(speech["audio"]) if speech.get("audio") else None
        original = self._recorded(speech["span_source"], record)
        shown = original if published is None else published
        if shown is None:
            return nothing
        if published is not None:
            cuts.write(self.folder, f"{where}.{suffix}", cuts.encoded(published, self.audio))
        if original is not None:
            cuts.write(self.folder, f"{where}.src.{suffix}", cuts.encoded(original, self.audio))
        return {
            "audio": None if published is None else f"{where}.{suffix}",
            "source": None if original is None else f"{where}.src.{suffix}",
            "peaks": cuts.peaks(shown),
        }

    def _recorded(self, source: Mapping[str, Any], record: Mapping[str, Any]) -> Any:
        names = ("id", "path", "offset", "track", "channel")
        wave = None
        if openable(source["path"], self.recordings):
            with suppress(DataError, StorageError):
                part = Source(**{name: source[name] for name in names})
                wave = cuts.recorded(part, record["start"], record["seconds"], self.decode)
        self.sources_missing += wave is None
        return wave


def _words(record: Mapping[str, Any], speech: Mapping[str, Any]) -> list[list[Any]]:
    """Text, start and end (s, from the start of the segment) of each aligned word."""
    begin = record["start"]
    return [
        [word["text"], round(word["start"] / SAMPLE_RATE - begin, 3), round(word["end"] / SAMPLE_RATE - begin, 3)]
        for word in speech.get("words") or ()
    ]


def _rounded(value: Any) -> Any:
    """What JSON can hold, without noise in the last digits."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.9g}") if math.isfinite(value) else None
