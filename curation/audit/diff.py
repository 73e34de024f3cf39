"""What differs between two builds of the same recordings: verdicts with their hours, texts, scores.

Segments with one id are the same. The others are matched where they are each other's best in the same recording, and
share at least half of the time that they cover together.
"""

from dataclasses import dataclass
from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import KEY, SAMPLES, Corpus, asked, locked, quoted, segment_table
from curation.core.storage import Storage

OVERLAP = 0.5
"""Intersection over union."""
PAIRS = f"""
CREATE TEMP TABLE pairs AS
WITH one AS (SELECT {KEY} AS key, recording_id, start, "end" FROM a),
     two AS (SELECT {KEY} AS key, recording_id, start, "end" FROM b),
     same AS (SELECT one.key AS a, two.key AS b FROM one JOIN two USING (key)),
     near AS (
       SELECT one.key AS a, two.key AS b, (least(one."end", two."end") - greatest(one.start, two.start))
         / greatest(greatest(one."end", two."end") - least(one.start, two.start), 1e-9) AS share
       FROM (SELECT * FROM one WHERE key NOT IN (SELECT a FROM same)) AS one
       JOIN (SELECT * FROM two WHERE key NOT IN (SELECT b FROM same)) AS two
         ON one.recording_id = two.recording_id AND one.start < two."end" AND two.start < one."end"),
     best AS (
       SELECT a, b FROM near WHERE share >= {OVERLAP}
       QUALIFY row_number() OVER (PARTITION BY a ORDER BY share DESC, b) = 1
           AND row_number() OVER (PARTITION BY b ORDER BY share DESC, a) = 1)
FROM same UNION ALL FROM best
"""


@dataclass(frozen=True)
class Builds:
    """Two builds in one database, as the tables `a`, `b` and `pairs`."""

    a: Corpus
    b: Corpus
    database: Any

    @classmethod
    def open(cls, a: str, b: str) -> "Builds":
        """Open both. Raises ConfigError as `Corpus.open` does."""
        one, two = Corpus.open(a), Corpus.open(b)
        tables = {"a": segment_table(Storage(a), one.index), "b": segment_table(Storage(b), two.index)}
        database = locked(tables)
        database.execute(PAIRS)
        return cls(one, two, database)

    def ask(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query over the segments of both, as `x` and `y` with nulls where one is missing."""
        keyed = ", ".join(
            f"{name} AS (SELECT {KEY} AS key, {SAMPLES} AS samples, * FROM {table})"
            for name, table in (("one", "a"), ("two", "b"))
        )
        return asked(self.database, f"WITH {keyed} {query}", parameters)


BOTH = "FROM pairs JOIN one AS x ON x.key = pairs.a JOIN two AS y ON y.key = pairs.b"


def diff(a: str, b: str, *, examples: int = 10) -> dict[str, Any]:
    """All that differs, as plain values; times in seconds."""
    builds = Builds.open(a, b)
    return {
        "a": a,
        "b": b,
        "verdicts": _verdicts(builds),
        "thresholds": _thresholds(builds),
        "texts": _texts(builds, examples),
        "scores": _scores(builds),
        "only": {"a": _only(builds, "one", "a"), "b": _only(builds, "two", "b")},
    }


def _verdicts(builds: Builds) -> list[dict[str, Any]]:
    """Changes of status or reason, those of most hours first; hours are those in the first build."""
    return builds.ask(
        f"SELECT x.status AS status_a, x.reason AS reason_a, y.status AS status_b, y.reason AS reason_b, "
        f"count(*) AS count, sum(x.samples) / {SAMPLE_RATE} AS seconds {BOTH} "
        "WHERE x.status <> y.status OR x.reason IS DISTINCT FROM y.reason "
        "GROUP BY ALL ORDER BY seconds DESC, 1, 2, 3, 4"
    )


def _thresholds(builds: Builds) -> list[dict[str, Any]]:
    one, two = builds.a.index.thresholds, builds.b.index.thresholds
    fields = [field for field in {**one, **two} if one.get(field) != two.get(field)]
    return [{"setting": field, "a": one.get(field), "b": two.get(field)} for field in fields]


def _texts(builds: Builds, examples: int) -> dict[str, Any]:
    """How many texts differ, of how many that both have, and some of them, the longest first."""
    heard = f"{BOTH} WHERE x.text IS NOT NULL AND y.text IS NOT NULL"
    ((total, changed, seconds),) = (
        row.values()
        for row in builds.ask(
            f"SELECT count(*) AS total, count(*) FILTER (x.text <> y.text) AS changed, "
            f"coalesce(sum(x.samples) FILTER (x.text <> y.text), 0) / {SAMPLE_RATE} AS seconds {heard}"
        )
    )
    shown = builds.ask(
        f"SELECT x.key AS a, y.key AS b, coalesce(y.language, x.language) AS language, x.text AS text_a, "
        f"y.text AS text_b {heard} AND x.text <> y.text "
        f"ORDER BY x.seconds DESC, x.key LIMIT $1",
        examples,
    )
    return {"both": total, "changed": changed, "seconds": seconds, "examples": shown}


def _scores(builds: Builds) -> list[dict[str, Any]]:
    """Scores that differ, of utterances that have them in both: how many, and by how much on average."""
    found = []
    for column in builds.a.scores:
        if column in builds.b.scores:
            one, two = f"x.{quoted(column)}", f"y.{quoted(column)}"
            (row,) = builds.ask(
                f"SELECT count(*) AS count, avg({two} - {one}) AS mean, avg(abs({two} - {one})) AS mean_distance "
                f"{BOTH} WHERE {one} <> {two}"
            )
            found += [{"score": builds.a.scores[column], **row}] if row["count"] else []
    return found


def _only(builds: Builds, table: str, side: str) -> list[dict[str, Any]]:
    """What has no counterpart, by status."""
    return builds.ask(
        f"SELECT status, count(*) AS count, sum(samples) / {SAMPLE_RATE} AS seconds FROM {table} "
        f"WHERE key NOT IN (SELECT {side} FROM pairs) GROUP BY 1 ORDER BY 1"
    )
