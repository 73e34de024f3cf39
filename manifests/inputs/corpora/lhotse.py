"""Cuts of lhotse, `*.jsonl` or `*.jsonl.gz`: a row for each supervision of a cut, or for a cut without one.

Cuts that are made of others, or changed when they are read (mixed, padded, at another speed), are refused: what they
sound like is nowhere in a file.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from curation.core.errors import ConfigError
from curation.manifests.inputs.corpora.row import Row, json_rows

EXPECTS = "a file of cuts (cuts.jsonl.gz)"
DIGITS = 9


def rows(fs: Any, path: str) -> Iterator[Row]:
    """A row for each supervision."""
    for row in json_rows(fs, path):
        try:
            found = list(_parts(row))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            msg = f"{row.where}: it is no cut of lhotse ({type(error).__name__}: {error}): name {EXPECTS}"
            raise ConfigError(msg) from error
        for values in found:
            yield Row(row.file, row.number, row.folder, values)


def _parts(row: Row) -> Iterator[dict[str, Any]]:
    cut = row.values
    if cut["type"] != "MonoCut":
        raise _refused(row, f"a {cut['type']}")
    recording = cut["recording"]
    if recording.get("transforms"):
        raise _refused(row, "a recording that is changed when it is read")
    path = _path(row, recording, cut["channel"])
    channels = {number for source in recording["sources"] for number in source["channels"]}
    channel = {"channel": cut["channel"]} if len(channels) > 1 else {}
    for said in cut["supervisions"] or [{"start": 0, "duration": cut["duration"]}]:
        start, length = round(cut["start"] + said["start"], DIGITS), float(said["duration"])
        whole = start == 0 and abs(length - recording["duration"]) < 1e-3
        part = {} if whole else {"offset": start, "duration": length}
        names = {"transcript": said.get("text"), "speaker": said.get("speaker"), "language": said.get("language")}
        known = {name: value for name, value in names.items() if value}
        yield {"path": path, **channel, **part, **known, "utterance": said.get("id", cut["id"])}


def _path(row: Row, recording: Mapping[str, Any], channel: int) -> str:
    """The file of a channel of a recording."""
    source = next(item for item in recording["sources"] if channel in item["channels"])
    if source["type"] not in {"file", "url"}:
        raise _refused(row, f"a recording in a source of type {source['type']}")
    return str(source["source"])


def _refused(row: Row, what: str) -> ConfigError:
    msg = f"{row.where}: {what} is not read: save the cuts with their audio first (`cuts.save_audios(FOLDER).to_file`)"
    return ConfigError(msg)
