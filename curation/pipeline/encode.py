"""Encodes the kept utterances with both tokenizers, batch by batch, and stores the ids beside the staging files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.flac import decode_flac
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.timing import take_model_seconds
from curation.manifests import schemas, tokens
from curation.manifests.selection import LIGHT_SEGMENT_COLUMNS, Run, select
from curation.manifests.staging import BatchName
from curation.pipeline.gpu import for_this_machine
from curation.pipeline.label import Job, Report
from curation.pipeline.rules import rules_of
from curation.tokenize.pair import DualTokenizer, load_tokenizers


def encode_rows(tokenizers: DualTokenizer, ids: Sequence[str], waves: Sequence[Wave]) -> pa.Table:
    """Token rows of `schemas.TOKENS`; an utterance that cannot be encoded carries the error instead of ids."""
    try:
        encoded = tokenizers.encode(waves)
    except Exception as error:  # noqa: BLE001 - any error belongs to the utterance that caused it
        if len(ids) == 1:
            empty: dict[str, Any] = {"glm": None, "semantic": None, "global": None}
            row = {"id": ids[0], **empty, "error": f"{type(error).__name__}: {error}"}
            return pa.Table.from_pylist([row], schema=schemas.TOKENS)
        singles = [encode_rows(tokenizers, [one], [wave]) for one, wave in zip(ids, waves, strict=True)]
        return pa.concat_tables(singles)
    rows = [{"id": one, **row, "error": ""} for one, row in zip(ids, encoded, strict=True)]
    return pa.Table.from_pylist(rows, schema=schemas.TOKENS)


class TokenizeWorker:
    """Encodes the kept utterances of one staging file at a time; those that have tokens already cost nothing."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._out = job.out
        self._rules = rules_of(job.config)
        config, self._note = for_this_machine(job.config, only="tokenize")
        tokenizers = load_tokenizers(config.tokenize)
        if tokenizers is None:
            msg = "tokenize is null: there is nothing to encode with"
            raise ValueError(msg)
        self._tokenizers = tokenizers

    def __call__(self, task: str) -> Report:
        """Encode what is missing in the staging file `task`."""
        name = BatchName.parse(task)
        missing = self._missing(name, self._kept(name, LIGHT_SEGMENT_COLUMNS)["id"])
        if len(missing) == 0:
            return Report(task)
        wanted = self._kept(name, [*LIGHT_SEGMENT_COLUMNS, "audio"])
        wanted = wanted.filter(pc.is_in(wanted["id"], value_set=missing))
        take_model_seconds()
        self._add(name, encode_kept(self._tokenizers, wanted))
        seconds = float(np.sum(wanted["end"].to_numpy() - wanted["start"].to_numpy())) / SAMPLE_RATE
        return Report(task, seconds=seconds, warning=self._note, timing={"models": take_model_seconds()})

    def _kept(self, name: BatchName, columns: list[str]) -> pa.Table:
        selection = select(
            self._out, Run(name.unit), [name], self._rules, fingerprint=None, speaker_threshold=0.0, columns=columns
        )
        return selection.kept

    def _missing(self, name: BatchName, ids: pa.ChunkedArray) -> pa.Array:
        known = tokens.read(self._out, name, self._tokenizers.fingerprint)
        good = known.filter(pc.equal(known["error"], ""))["id"].combine_chunks()
        return ids.filter(pc.invert(pc.is_in(ids, value_set=good))).combine_chunks()

    def _add(self, name: BatchName, rows: pa.Table) -> None:
        fingerprint = self._tokenizers.fingerprint
        known = tokens.read(self._out, name, fingerprint)
        older = known.filter(pc.invert(pc.is_in(known["id"], value_set=rows["id"].combine_chunks())))
        self._out.write_table(tokens.file_name(name, fingerprint), pa.concat_tables([older, rows]).sort_by("id"))


def encode_kept(tokenizers: DualTokenizer, kept: pa.Table) -> pa.Table:
    """Token rows for kept segments (columns id and audio)."""
    has_audio = kept.filter(pc.is_valid(kept["audio"]))
    without = kept.filter(pc.is_null(kept["audio"]))["id"].to_pylist()
    waves = [decode_flac(content) for content in has_audio["audio"].to_pylist()]
    error = "no audio in staging: build with engine.staging_audio"
    lost = [{"id": one, "glm": None, "semantic": None, "global": None, "error": error} for one in without]
    parts = [pa.Table.from_pylist(lost, schema=schemas.TOKENS)]
    if waves:
        parts.append(encode_rows(tokenizers, has_audio["id"].to_pylist(), waves))
    return pa.concat_tables(parts)
