"""Hugging Face: Parquet with a column of audio, and a card. `load_dataset(FOLDER)` opens it.

Every column of the shards is there but `path` and, of course, the audio as plain bytes. What the columns are to
`datasets` is in the metadata of each file.
"""

import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from curation.audio.wave import SAMPLE_RATE
from curation.core.parquet import TableWriter
from curation.export.corpus import COLUMNS, Utterance
from curation.export.shards import Job
from curation.manifests.schemas import SHARDS
from curation.pipeline.readme.card import front_matter

ROWS = 100
"""Of a row group: the viewer of the hub reads no more than 286 MiB at once, and this is 50 at most."""
AUDIO = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
_NAMES = {pa.float32(): "float32", pa.float64(): "float64", pa.int32(): "int32", pa.string(): "string"}


def write(job: Job) -> None:
    """`data/train-00000.parquet` and so on, for each split, and `README.md`."""
    for mine in job.divided:
        for part, utterances in mine.parts():
            with job.folder.open(f"data/{mine.split}-{part:05d}.parquet") as file:
                writer = TableWriter(file, SCHEMA, ROWS)
                try:
                    for rows in _pieces(job, utterances):
                        writer.add(rows)
                    writer.close()
                finally:
                    writer.give_up()
    configs = {"default": {mine.split: f"data/{mine.split}-*.parquet" for mine in job.divided}}
    job.folder.write("README.md", (front_matter(configs, job.languages) + job.card).encode())


def _pieces(job: Job, utterances: Iterable[Utterance]) -> Iterable[pa.Table]:
    rows: list[dict[str, Any]] = []
    for one in utterances:
        sound = {"bytes": job.audio(one), "path": f"{one.key}.{job.suffix}"}
        rows.append({**one.row, "text": one.text, "audio": sound})
        if len(rows) == ROWS:
            yield pa.Table.from_pylist(rows, schema=SCHEMA)
            rows = []
    yield pa.Table.from_pylist(rows, schema=SCHEMA)


def feature(kind: pa.DataType) -> Any:
    """What a type is to `datasets`."""
    if kind == AUDIO:
        return {"sampling_rate": SAMPLE_RATE, "_type": "Audio"}
    if pa.types.is_struct(kind):
        return {item.name: feature(item.type) for item in kind}
    if pa.types.is_list(kind):
        return {"feature": feature(kind.value_type), "_type": "List"}
    return {"dtype": _NAMES[kind], "_type": "Value"}


def _schema() -> pa.Schema:
    fields = [(name, AUDIO if name == "audio" else SHARDS.field(name).type) for name in ("audio", *COLUMNS[:-1])]
    features = {name: feature(kind) for name, kind in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


SCHEMA = _schema()
