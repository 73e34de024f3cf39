"""Every Arrow schema of a build's files, and what the columns of the published ones mean.

plan/       PLAN        which recordings there are, and which unit of work each belongs to
staging/    STAGING     spans, segments and scores of the label pass: what judging needs; for this software only
speech/     SPEECH      the same segments with texts, words and audio: what shards need; for this software only
judged/     KEPT        the utterances that shards are written from; only while a publish pass runs
tokens/     TOKENS      ids of the tokenizers, one row for each utterance; for this software only
shards/     SHARDS      one row for each kept utterance; its columns are documented in SHARD_COLUMNS
ledger/     LEDGER      every interval with its verdict; documented in LEDGER_COLUMNS
segments/               every interval of the ledger but non-speech, with texts and scores: SEGMENT_COLUMNS, and those
                        of the declared scores (`manifests.segments.table`)
"""

from typing import NamedTuple

import pyarrow as pa


class Column(NamedTuple):
    """A documented column of a published table."""

    name: str
    type: pa.DataType
    unit: str
    """Unit, range or format of the values; empty where they have none."""
    meaning: str


VERDICTS = pa.schema(
    [
        ("status", pa.string()),
        ("reason", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("detail", pa.string()),
    ]
)
"""One row for each judged segment; the ledger has the same columns."""
JUDGED = pa.schema([*VERDICTS, ("rules_broken", pa.uint32()), ("rules_missing", pa.uint32())])
"""With a bit for each rule; null for a segment that had its verdict before."""

SCORE_MAP = pa.map_(pa.string(), pa.float64())
NOTE_MAP = pa.map_(pa.string(), pa.string())
VERDICT = pa.struct(list(VERDICTS))
WORD = pa.struct([("text", pa.string()), ("start", pa.int64()), ("end", pa.int64()), ("confidence", pa.float64())])
HYPOTHESIS = pa.struct(
    [
        ("system", pa.string()),
        ("text", pa.string()),
        ("language", pa.string()),
        ("confidence", pa.float64()),
        ("words", pa.list_(WORD)),
        ("error", pa.string()),
        ("scores", SCORE_MAP),
        ("variants", pa.list_(pa.string())),
    ]
)
EDIT = pa.struct(
    [
        ("kind", pa.string()),
        ("before", pa.string()),
        ("after", pa.string()),
        ("position", pa.int32()),
        ("pause_ms", pa.float64()),
    ]
)
SEGMENT = pa.struct(
    [
        ("id", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("speaker", pa.string()),
        ("verdict", VERDICT),
        ("scores", SCORE_MAP),
        ("speaker_embedding", pa.list_(pa.float32())),
    ]
)
"""The embedding is null where the recording has one span: only speakers of several spans are joined."""
SOURCE = pa.struct(
    [
        ("id", pa.string()),
        ("path", pa.string()),
        ("language", pa.string()),
        ("speaker", pa.string()),
        ("transcript", pa.string()),
        ("extra", pa.string()),
        ("offset", pa.float64()),
        ("duration", pa.float64()),
        ("track", pa.int32()),
        ("channel", pa.int32()),
        ("version", pa.string()),
    ]
)
MEDIA = pa.struct(
    [
        ("sample_rate", pa.int32()),
        ("channels", pa.int32()),
        ("codec", pa.string()),
        ("container", pa.string()),
        ("seconds", pa.float64()),
        ("pcm", pa.string()),
    ]
)
STRETCHES = pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64())]))
"""Samples of a recording that are tried again; null: the whole recording is new, or has changed."""
PLAN = pa.schema([("unit", pa.int32()), ("stretches", STRETCHES), *SOURCE])
SPEECH = pa.schema(
    [
        ("id", pa.string()),
        ("scores", SCORE_MAP),
        ("language", pa.string()),
        ("hypotheses", pa.list_(HYPOTHESIS)),
        ("text", pa.string()),
        ("words", pa.list_(WORD)),
        ("edits", pa.list_(EDIT)),
        ("notes", NOTE_MAP),
        ("speaker_embedding", pa.list_(pa.float32())),
        ("span_source", SOURCE),
        ("span_media", MEDIA),
        ("span_scores", SCORE_MAP),
        ("span_notes", NOTE_MAP),
        ("audio", pa.binary()),
    ]
)
"""`span_source` and so on are those of the span that the segment is in."""
STAGING = pa.schema(
    [
        ("source", SOURCE),
        ("media", MEDIA),
        ("span", pa.int32()),
        ("offset", pa.int64()),
        ("num_samples", pa.int64()),
        ("last", pa.bool_()),
        ("verdict", VERDICT),
        ("scores", SCORE_MAP),
        ("notes", NOTE_MAP),
        ("segments", pa.list_(SEGMENT)),
    ]
)
KEPT = pa.schema(
    [
        ("id", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("speaker", pa.string()),
        ("one_voice", pa.bool_()),
        ("file", pa.string()),
        ("place", pa.int64()),
        ("human_text", pa.string()),
        ("recalibrated", pa.float64()),
        ("split", pa.string()),
        ("tier", pa.string()),
        ("voice_id", pa.string()),
    ]
)
"""`file` is the staging file of an utterance, `place` its index among all segments there; `human_text` a text that
a person wrote in place of its own, `recalibrated` a confidence in place of its own."""
TOKENS = pa.schema(
    [
        ("id", pa.string()),
        ("glm", pa.list_(pa.int32())),
        ("semantic", pa.list_(pa.int32())),
        ("global", pa.list_(pa.int32())),
        ("error", pa.string()),
    ]
)

# Maps become lists of (name, value) when they are published: not every reader of Parquet knows maps.
SHARD_SCORES = pa.list_(pa.struct([("name", pa.string()), ("value", pa.float64())]))
SHARD_NOTES = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
SHARD_WORD = pa.struct(
    [("text", pa.string()), ("start", pa.float32()), ("end", pa.float32()), ("confidence", pa.float32())]
)
SHARD_HYPOTHESIS = pa.struct(
    [
        ("system", pa.string()),
        ("text", pa.string()),
        ("language", pa.string()),
        ("confidence", pa.float64()),
        ("error", pa.string()),
        ("scores", SHARD_SCORES),
        ("variants", pa.list_(pa.string())),
    ]
)
RIGHTS_COLUMNS = [
    Column("licence", pa.string(), "", "licence of the recording, as its manifest says; null: nothing was said"),
    Column("consent", pa.string(), "", "how the speakers agreed, as the manifest says"),
    Column("source_url", pa.string(), "", "where the recording was taken from, as the manifest says"),
    Column("rights_holder", pa.string(), "", "whose it is, as the manifest says"),
]
"""Of shards and segments."""
SPLIT = Column("split", pa.string(), "", "train, dev or test (`curation split`); null: the corpus has no splits")
VOICE = Column("voice_id", pa.string(), "", "the voice, whatever the recording (`curation voices`); null: not known")
TIER = Column("tier", pa.string(), "", "kept: the first of publish.tiers whose rules it meets; null: none")
SHARD_COLUMNS = [
    Column("id", pa.string(), "", "utterance: recording id, first and last sample at 16 kHz"),
    Column("recording_id", pa.string(), "", "the recording that contains it"),
    Column("path", pa.string(), "", "file or URL of the recording"),
    Column("start", pa.float64(), "s", "start of the utterance in the recording"),
    Column("end", pa.float64(), "s", "end of the utterance in the recording"),
    Column("seconds", pa.float64(), "s", "duration"),
    Column("speaker", pa.string(), "", "name in the manifest where the recording has one voice; else its id and label"),
    VOICE,
    Column("speaker_label", pa.string(), "", "label from diarization, consistent within a recording: S0, S1, ..."),
    Column("manifest_speaker", pa.string(), "", "speaker of the manifest: a hint where the recording has several"),
    Column("language", pa.string(), "", "ISO 639-1 code, from the manifest or identified"),
    *(SPLIT, TIER),
    Column("text", pa.string(), "", "final transcript: consensus of the systems, punctuation checked against pauses"),
    Column("words", pa.list_(SHARD_WORD), "s", "aligned words; times from the start of the utterance"),
    Column("pwer", pa.float64(), "", "average pairwise word error rate of the systems (GPA, curation)"),
    Column("confidence", pa.float64(), "0..1", "confidence of the final text"),
    Column("hypotheses", pa.list_(SHARD_HYPOTHESIS), "", "hypotheses of the ASR systems"),
    Column("edits", pa.list_(EDIT), "ms", "changes to the punctuation, each with the pause that justified it"),
    Column("scores", SHARD_SCORES, "", "every score of the utterance and of its recording, by name"),
    Column("notes", SHARD_NOTES, "", "choices made by the stages: denoiser, text normalisation, aligner, ..."),
    Column("speaker_embedding", pa.list_(pa.float32()), "192", "speaker embedding of CAM++, unit norm"),
    Column("glm", pa.list_(pa.int32()), "12.5/s", "ids of the content tokenizer"),
    Column("semantic", pa.list_(pa.int32()), "50/s", "semantic ids of the codec"),
    Column("global", pa.list_(pa.int32()), "32", "global ids of the codec: the voice"),
    Column("transcript", pa.string(), "", "transcript of the whole recording from the manifest, if it had one"),
    Column("extra", pa.string(), "JSON", "further columns of the manifest"),
    *RIGHTS_COLUMNS,
    Column("source_offset", pa.float64(), "s", "where the recording begins in its file; null: it is the whole file"),
    Column("source_track", pa.int32(), "", "audio track of the file, from 0; null: the best"),
    Column("source_channel", pa.int32(), "", "channel of the track, from 0; null: all, as one"),
    Column("source_sample_rate", pa.int32(), "Hz", "sample rate of the recording's file"),
    Column("source_codec", pa.string(), "", "codec of the recording's file"),
    Column("audio", pa.binary(), "FLAC", "the utterance, 16 kHz mono, peak 0.6; null unless publish.audio"),
]
SHARDS = pa.schema(
    [
        pa.field(name, kind, metadata={"unit": unit, "meaning": meaning} if unit else {"meaning": meaning})
        for name, kind, unit, meaning in SHARD_COLUMNS
    ]
)

LEDGER_COLUMNS = [
    Column("recording_id", pa.string(), "", "the recording"),
    Column("path", pa.string(), "", "its file or URL"),
    Column("version", pa.string(), "", "of the content read: ETag, or size and time of change; empty: unknown"),
    Column("utterance_id", pa.string(), "", "the utterance, as in the shards; null for what was never a segment"),
    Column("speaker", pa.string(), "", "label within the recording; null or empty where there is none"),
    Column("start_sample", pa.int64(), "1/16000 s", "start in the recording"),
    Column("end_sample", pa.int64(), "1/16000 s", "end in the recording; the next row starts here"),
    Column("seconds", pa.float64(), "s", "duration"),
    Column("status", pa.string(), "", "kept, rejected, failed, non_speech or removed"),
    Column("reason", pa.string(), "", "rejected: the setting that caused it; failed: the stage; removed: why"),
    Column("value", pa.float64(), "", "rejected: the measured score"),
    Column("threshold", pa.float64(), "", "rejected: the threshold of the score"),
    Column("detail", pa.string(), "", "failed: the error; dedup.exact: what counts instead; dedup.near: the group"),
    Column("pcm", pa.string(), "", "SHA-256 of the recording's samples as they were decoded; null: not known"),
    SPLIT,
]
LEDGER = pa.schema([(name, kind) for name, kind, _, _ in LEDGER_COLUMNS])

SEGMENT_COLUMNS = [
    Column("id", pa.string(), "", "the utterance, as in the shards; null for what was never a segment"),
    Column("recording_id", pa.string(), "", "the recording"),
    Column("path", pa.string(), "", "its file, or its URL without password and query: they may be secrets"),
    Column("start", pa.float64(), "s", "start in the recording"),
    Column("end", pa.float64(), "s", "end in the recording"),
    Column("seconds", pa.float64(), "s", "duration"),
    Column("speaker", pa.string(), "", "the voice, as in the shards; null where there is none"),
    VOICE,
    Column("language", pa.string(), "", "ISO 639-1 code, from the manifest or identified; null: neither"),
    Column("status", pa.string(), "", "kept, rejected or failed"),
    Column("reason", pa.string(), "", "rejected: the setting that caused it, the first of them; failed: the stage"),
    Column("value", pa.float64(), "", "rejected: the measured score"),
    Column("threshold", pa.float64(), "", "rejected: the threshold of the score"),
    Column("detail", pa.string(), "", "failed: the error; dedup.exact: what counts instead; dedup.near: the group"),
    Column(
        "rules_broken",
        pa.uint32(),
        "bits",
        "every threshold that is not met, bit 0 the first; the rules are in the metadata of the file. Null: a stage "
        "gave the verdict, and no threshold was tried",
    ),
    Column(
        "rules_missing",
        pa.uint32(),
        "bits",
        "every threshold whose score was not measured: neither met nor not. One that does not apply has neither bit",
    ),
    *(SPLIT, TIER),
    Column("marked", pa.string(), "", "accept or reject: what a person said of it (`curation marks`); null: nothing"),
    Column("text", pa.string(), "", "final transcript, of a person where one wrote it; null: nothing was transcribed"),
    Column("hypotheses", pa.list_(SHARD_HYPOTHESIS), "", "hypotheses of the ASR systems"),
    Column("outlier", pa.string(), "", "the system that is far from all others"),
    *RIGHTS_COLUMNS,
]
"""The columns of the scores follow, and then `SEGMENT_REST`."""
SEGMENT_REST = [
    Column("scores", SHARD_SCORES, "", "every score without a column of its own, by name"),
    Column(
        "staging_file", pa.string(), "", "file of the folder `speech`, without .parquet, that has its words and audio"
    ),
    Column("staging_row", pa.int64(), "", "its row in that file, from 0"),
]
