"""Judges staging files, encodes the kept utterances with both tokenizers, and stores the ids beside the files."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curation.audio.flac import decode_flac
from curation.audio.wave import SAMPLE_RATE, Wave
from curation.core.timing import StageTimes, take_model_seconds
from curation.manifests import schemas, staging, tokens
from curation.manifests.duplicates.exact import Content, samples_of
from curation.manifests.error_rates import ErrorRate, add_rates
from curation.manifests.selection import Selection, column
from curation.manifests.staging import BatchName
from curation.pipeline.edition import stored
from curation.pipeline.gpu import for_this_machine
from curation.pipeline.guard.quarantine import current_attempt
from curation.pipeline.job import BatchesJudged, Job
from curation.pipeline.provenance import labelled_build
from curation.tokenize.pair import DualTokenizer, load_tokenizers


def encode_rows(tokenizers: DualTokenizer, ids: Sequence[str], waves: Sequence[Wave]) -> pa.Table:
    """Token rows of `schemas.TOKENS`; an utterance that cannot be encoded carries the error instead of ids."""
    try:
        encoded = tokenizers.encode(waves)
    except Exception as error:  # noqa: BLE001 - any error belongs to the utterance that caused it
        if len(ids) == 1:
            return not_encoded(ids, f"{type(error).__name__}: {error}")
        singles = [encode_rows(tokenizers, [one], [wave]) for one, wave in zip(ids, waves, strict=True)]
        return pa.concat_tables(singles)
    rows = [{"id": one, **row, "error": ""} for one, row in zip(ids, encoded, strict=True)]
    return pa.Table.from_pylist(rows, schema=schemas.TOKENS)


def not_encoded(ids: Sequence[str], error: str) -> pa.Table:
    """Token rows of utterances without tokens."""
    empty: dict[str, Any] = {"glm": None, "semantic": None, "global": None}
    return pa.Table.from_pylist([{"id": one, **empty, "error": error} for one in ids], schema=schemas.TOKENS)


@dataclass(frozen=True)
class JudgeTask:
    """Staging files that are judged together."""

    files: Sequence[BatchName]
    new: int = 0
    """The first unit that was not published before: what the files of earlier ones say of the label pass is known."""

    @property
    def name(self) -> str:
        """See `job.NamedTask`."""
        return f"judge-{self.files[0]}"


class BatchJudge:
    """Judges staging files, and encodes the kept utterances in them that have no tokens yet.

    The result is stored for ledger and shards: a staging file is judged here and nowhere else. Where a tokenizer has
    killed its process, the next one takes one recording at a time; the utterances of a recording that does it again are
    `failed`.
    """

    def __init__(self, job: Job, edition: int) -> None:
        self._out = job.out
        self._labelled = labelled_build(job.out, job.config, edition)
        config, self._note = for_this_machine(job.config, only=("tokenize.",))
        self._tokenizers = load_tokenizers(config.tokenize)

    def __call__(self, task: JudgeTask) -> BatchesJudged:
        """Judge the files of the task."""
        times, samples = StageTimes(), 0
        errors: dict[str, ErrorRate] = {}
        contents: list[Content] = []
        take_model_seconds()
        for name in task.files:
            current_attempt().note("", f"judging {name.file}")
            file = staging.read(self._out, name)
            judged = self._labelled.judge(file)
            contents += samples_of(judged.spans, name.unit)
            if name.unit >= task.new:
                times.add(file.times)
                add_rates(errors, file.errors)
            if self._tokenizers is not None:
                known, encoded = self._encode(name, judged, self._tokenizers)
                samples += encoded
                judged = replace(judged, segments=tokens.with_errors(judged.segments, known))
            self._labelled.store(name, judged)
        judged_files = BatchesJudged(
            label_times=times,
            label_errors=errors,
            contents=contents,
            model_seconds=take_model_seconds(),
            audio_seconds=samples / SAMPLE_RATE,
            warning=self._note if samples else "",
        )
        return stored(self._out, self._labelled.edition, task, judged_files)

    def _encode(self, name: BatchName, judged: Selection, tokenizers: DualTokenizer) -> tuple[pa.Table, int]:
        """Encode what is kept and has no tokens; returns id and error of all token rows, and the samples encoded."""
        kept = judged.kept
        known = tokens.read(self._out, name, tokenizers.fingerprint, ["id", "error"])
        good = known.filter(pc.equal(known["error"], ""))["id"].combine_chunks()
        missing = kept.filter(pc.invert(pc.is_in(kept["id"], value_set=good)))
        if not missing.num_rows:
            return known, 0
        audio = staging.read_speech(self._out, name, missing, ["audio"])["audio"]
        recordings = column(judged.spans, "source", "id").take(missing["row"])
        rows = encode_recordings(tokenizers, recordings, missing["id"], audio)
        known = tokens.add(self._out, name, tokenizers.fingerprint, rows).select(["id", "error"])
        return known, int(np.sum(missing["end"].to_numpy() - missing["start"].to_numpy()))


def encode_recordings(
    tokenizers: DualTokenizer, recordings: pa.ChunkedArray, ids: pa.ChunkedArray, audio: pa.ChunkedArray
) -> pa.Table:
    """Token rows of kept utterances; `recordings` says of which one each is, in case that one kills this process."""
    attempt = current_attempt()
    if not attempt.careful:
        return encode_kept(tokenizers, ids, audio)
    parts = []
    for recording in pc.unique(recordings).to_pylist():
        mine = pc.equal(recordings, recording)
        if recording in attempt.victims:
            parts.append(not_encoded(ids.filter(mine).to_pylist(), attempt.victims[recording].detail))
            continue
        attempt.note(recording, "tokenizing")
        parts.append(encode_kept(tokenizers, ids.filter(mine), audio.filter(mine)))
    attempt.note("", "storing tokens")
    return pa.concat_tables(parts)


def encode_kept(tokenizers: DualTokenizer, ids: pa.ChunkedArray, audio: pa.ChunkedArray) -> pa.Table:
    """Token rows of kept utterances from their ids and FLAC."""
    pairs = list(zip(ids.to_pylist(), audio.to_pylist(), strict=True))
    lost = [one for one, content in pairs if content is None]
    parts = [not_encoded(lost, "no audio in staging: build with engine.staging_audio")]
    heard = [(one, decode_flac(content)) for one, content in pairs if content is not None]
    if heard:
        parts.append(encode_rows(tokenizers, [one for one, _ in heard], [wave for _, wave in heard]))
    return pa.concat_tables(parts)
