"""Everything that is known of one utterance: its verdict, every rule with the distance to it, texts and hypotheses."""

import math
import re
from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import Corpus, named
from curation.audit.judging import tried
from curation.core.errors import ConfigError

PLACE = re.compile(r"(?P<file>.+)@(?:(?P<minutes>\d+):)?(?P<seconds>\d+(?:\.\d*)?)s?")
"""`talk.wav@12.3s`, `talk.wav@1:02.5`."""


def why(corpus: Corpus, what: str) -> dict[str, Any]:
    """The segment with an id, or the stretch of a recording at a time (`FILE@12.3s`).

    The file is a recording's id, its path, or the end of it. Raises ConfigError where there is none, or several.
    """
    found = [*named(corpus.database, [what]).values()]
    place = PLACE.fullmatch(what)
    if not found and place is None:
        msg = (
            f"{corpus.root} has no utterance {what!r}: give an id of its segments, or FILE@TIME, such as talk.wav@12.3s"
        )
        raise ConfigError(msg)
    if not found and place is not None:
        time = 60 * float(place["minutes"] or 0) + float(place["seconds"])
        return _at(corpus, place["file"], time)
    return _described(corpus, found[0])


def _at(corpus: Corpus, file: str, time: float) -> dict[str, Any]:
    recording = _recording(corpus, file)
    at = 'recording_id = $1 AND start <= $2 AND "end" > $2'
    found = corpus.ask(f"SELECT * FROM segments WHERE {at} ORDER BY start", [recording, time])
    if found:
        return _described(corpus, found[0])
    ledger = (
        f'SELECT recording_id, start_sample / {SAMPLE_RATE} AS start, end_sample / {SAMPLE_RATE} AS "end", '
        "seconds, status, reason FROM ledger"
    )
    rows = corpus.ask(f"SELECT * FROM ({ledger}) WHERE {at}", [recording, time])
    if not rows:
        msg = f"{recording} ends before {time:g} s"
        raise ConfigError(msg)
    nothing = dict.fromkeys(("id", "text", "hypotheses", "rules_broken", "rules_missing"))
    return {**nothing, **rows[0], "rules": [], "scores": {}}


def _recording(corpus: Corpus, file: str) -> str:
    """The id of the recording with this id or path, or whose path ends so."""
    rows = corpus.ask(
        "SELECT recording_id AS id, bool_or(recording_id = $1 OR path = $1) AS exact FROM "
        "(SELECT recording_id, path FROM ledger UNION SELECT recording_id, path FROM segments) "
        "WHERE recording_id = $1 OR path = $1 OR ends_with(path, '/' || $1) GROUP BY 1 ORDER BY 1",
        [file],
    )
    chosen = [row["id"] for row in rows if row["exact"]] or [row["id"] for row in rows]
    if len(chosen) == 1:
        return str(chosen[0])
    if not chosen:
        msg = f"{corpus.root} has no recording {file!r}: its id or path stands in the ledger"
    else:
        msg = f"{len(chosen)} recordings end with {file!r}: name one of {', '.join(chosen[:5])}"
    raise ConfigError(msg)


def _described(corpus: Corpus, row: dict[str, Any]) -> dict[str, Any]:
    """The row with its scores by their names, and each rule."""
    scores = {name: row[column] for column, name in corpus.scores.items() if row[column] is not None}
    scores |= {item["name"]: item["value"] for item in row["scores"] or () if not math.isnan(item["value"])}
    plain = {name: value for name, value in row.items() if name not in corpus.scores}
    return {**plain, "scores": scores, "rules": tried(corpus.rules, row, scores)}
