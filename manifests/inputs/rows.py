"""One row of a manifest as a source: what its columns mean, and what they may hold."""

import math
import re
from collections.abc import Mapping
from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.names import shown
from curation.manifests.columns import rights
from curation.manifests.inputs.languages import language_code
from curation.manifests.records import Source

PATH_COLUMNS = ("path", "audio_filepath", "audio")
LANGUAGE_COLUMNS = ("language", "lang", "locale")
SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id")
TRANSCRIPT_COLUMNS = ("transcript", "text", "sentence")
KNOWN_COLUMNS = frozenset({"id", "language", "speaker", "transcript", "track", "channel"})
"""These are not repeated in `extra`; other names of the same columns are."""
LONGEST_SECONDS = 1e7
CHANNEL_MARK = "-channel"
"""Stands in the ids of channels between the id of the file and the number."""
WHOLE_NUMBERS = frozenset({"track", "channel"})
SEGMENT_MARK = "-at"
"""Stands in the ids of segments between the id of the file and the place."""
ID = re.compile(r"(?!\.)[\w.-]{1,200}")
"""What a row may be named: files may have such a name, and no path is one."""


class ManifestRow:
    """The values of one row. Everything that reads them raises ConfigError, which names the row and the column."""

    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self.values = values
        self.where = where

    @property
    def path(self) -> str:
        """The path or URL, as it is written."""
        column = self._column(PATH_COLUMNS)
        written = self.values.get(column)
        if not isinstance(written, str) or _is_missing(written):
            found = ", ".join(map(str, self.values)) or "no columns"
            msg = (
                f"{self.where}: no path; expected a text column {PATH_COLUMNS[0]!r} with the recording's path or URL "
                f"(found {found})"
            )
            raise ConfigError(msg)
        return written

    def source(self, path: str, identifier: str) -> Source:
        """The source, whose path is the written one resolved; its id is made of `identifier` where the row has none."""
        offset = self._number("offset")
        duration = self._number("duration") if offset is not None else None  # alone it says how long the file is
        track, channel = self._number("track"), self._number("channel")
        segment = {"offset"} | ({"duration"} if offset is not None else set())
        own = KNOWN_COLUMNS | {self._column(PATH_COLUMNS), *rights.COLUMNS, *rights.ALIASES} | segment
        source = Source(
            id=self._id() or identifier,
            path=path,
            language=self._language(),
            speaker=self._text(SPEAKER_COLUMNS),
            transcript=self._text(TRANSCRIPT_COLUMNS),
            extra={name: value for name, value in self.values.items() if name not in own and value is not None}
            | rights.checked(self.values, self.where),
            offset=offset,
            duration=duration,
            track=None if track is None else int(track),
            channel=None if channel is None else int(channel),
        )
        if not self._id():
            source.id += _part(source)
        return source

    def _column(self, names: tuple[str, ...]) -> str:
        """The first of some columns that has a value; else the first of them."""
        return next((name for name in names if not _is_missing(self.values.get(name))), names[0])

    def _text(self, names: tuple[str, ...]) -> str:
        """A text; empty where there is none. Numbers that are whole are written so: tables turn 7 into 7.0."""
        column = self._column(names)
        value = self.values.get(column)
        if isinstance(value, dict | list):
            msg = f"{self.where}: {column}: expected a text, found {type(value).__name__}"
            raise ConfigError(msg)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return "" if value is None else str(value).strip()

    def _number(self, column: str) -> float | None:
        """Seconds, or the number of a track or channel; None where there is none."""
        text = self._text((column,))
        if not text:
            return None
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        least = {"duration": 1 / SAMPLE_RATE}.get(column, 0.0)
        if not (least <= number <= LONGEST_SECONDS and (column not in WHOLE_NUMBERS or number.is_integer())):
            kind = "a whole number from 0" if column in WHOLE_NUMBERS else "seconds"
            msg = f"{self.where}: {column}: expected {kind}, found {shown(text)}"
            raise ConfigError(msg)
        return number

    def _id(self) -> str:
        identifier = self._text(("id",))
        if identifier and not ID.fullmatch(identifier):
            msg = (
                f"{self.where}: id {shown(identifier)} may hold only letters, digits, dots (not first), dashes and "
                f"underscores, at most 200"
            )
            raise ConfigError(msg)
        return identifier

    def _language(self) -> str:
        written = self._text(LANGUAGE_COLUMNS)
        try:
            return language_code(written)
        except ValueError as error:
            msg = (
                f"{self.where}: {self._column(LANGUAGE_COLUMNS)}: {error}: write its name or its ISO 639 code (English,"
                f" en, eng, en-US), or leave it empty to have the language identified"
            )
            raise ConfigError(msg) from error


def _part(source: Source) -> str:
    """What an id says of the part of the file: track, channel, and the place of a segment in samples at 16 kHz."""
    track = "" if source.track is None else f"-track{source.track}"
    track += "" if source.channel is None else f"{CHANNEL_MARK}{source.channel}"
    if source.offset is None:
        return track
    start = round(source.offset * SAMPLE_RATE)
    end = "" if source.duration is None else f"-{round((source.offset + source.duration) * SAMPLE_RATE)}"
    return f"{track}{SEGMENT_MARK}{start}{end}"


def _is_missing(value: Any) -> bool:
    """Whether a value says nothing: 0 does say something."""
    return value is None or (isinstance(value, str) and not value.strip())
