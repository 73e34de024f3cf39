"""Croissant 1.1 with RAI 1.0: the files of the Hugging Face export, described in `croissant.json` for machines."""

import json
from typing import Any

import pyarrow as pa

from curation.export import huggingface
from curation.export.shards import Job
from curation.manifests.schemas import SHARD_COLUMNS

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "arrayShape": "cr:arrayShape",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
SET, PARQUET = "files", "application/x-parquet"
MOST_FILES = 100
"""That are described one by one, with their hashes; of more, `export.json` has them."""
TYPES = {pa.string(): "sc:Text", pa.float64(): "sc:Float", pa.float32(): "sc:Float", pa.int32(): "cr:Int32"}


def write(job: Job) -> None:
    """The files of the Hugging Face export, and `croissant.json`."""
    huggingface.write(job)
    files = [item for item in job.folder.files() if item[0].endswith(".parquet")]
    described = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": job.name,
        "description": job.card,
        "conformsTo": CONFORMS_TO,
        "inLanguage": list(job.languages),
        "rai:dataCollection": "Recordings of speech, cut into utterances of one speaker each.",
        "rai:dataPreprocessingProtocol": job.card,
        "rai:dataAnnotationProtocol": (
            "Texts were written by several speech recognisers, whose agreement decides what is kept; a text that a "
            "person wrote says so in its notes (text.source)."
        ),
        "rai:dataLimitations": "Texts, languages and speakers are found by models, and some are wrong.",
        "rai:personalSensitiveInformation": "Voices are personal data. Names may be spoken.",
        "distribution": _distribution(files),
        "recordSet": [_records()],
    }
    job.folder.write("croissant.json", (json.dumps(described, indent=2, ensure_ascii=False) + "\n").encode())


def _distribution(files: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """The set of all files, which the fields come from, and each file with its hash."""
    every = {"@type": "cr:FileSet", "@id": SET, "name": SET, "includes": "data/*.parquet", "encodingFormat": PARQUET}
    if len(files) > MOST_FILES:
        return [every]
    return [
        every,
        *(
            {
                "@type": "cr:FileObject",
                "@id": name,
                "name": name,
                "contentUrl": name,
                "contentSize": f"{size} B",
                "sha256": sha256,
                "encodingFormat": PARQUET,
            }
            for name, sha256, size in files
        ),
    ]


def _records() -> dict[str, Any]:
    """The record set `utterances`, each field a column of the files."""
    meanings = {item.name: item.meaning for item in SHARD_COLUMNS}
    fields = [_field(item.name, meanings[item.name], item.type) for item in huggingface.SCHEMA if _plain(item.type)]
    return {
        "@type": "cr:RecordSet",
        "@id": "utterances",
        "name": "utterances",
        "key": {"@id": "utterances/id"},
        "field": fields,
    }


def _plain(kind: pa.DataType) -> bool:
    """Whether Croissant has a type for the values of a column; lists of structures have none that readers take."""
    return kind == huggingface.AUDIO or kind in TYPES or (pa.types.is_list(kind) and kind.value_type in TYPES)


def _field(name: str, meaning: str, kind: pa.DataType) -> dict[str, Any]:
    source: dict[str, Any] = {"fileSet": {"@id": SET}, "extract": {"column": name}}
    field = {"@type": "cr:Field", "@id": f"utterances/{name}", "name": name, "description": meaning, "source": source}
    if kind == huggingface.AUDIO:
        source["transform"] = {"jsonPath": "bytes"}
        return {**field, "dataType": "sc:AudioObject"}
    if pa.types.is_list(kind):
        return {**field, "dataType": TYPES[kind.value_type], "isArray": True, "arrayShape": "-1"}
    return {**field, "dataType": TYPES[kind]}
