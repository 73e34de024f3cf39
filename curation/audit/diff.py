"""What differs between two builds of the same recordings: verdicts with their hours, texts, scores.

Segments with one id are the same. The others are matched where they are each other's best in the same recording, and
share at least half of the time that they cover together.

All that both have is added up in one pass over both builds, by verdicts; what of it does not fit into `MEMORY` is put
aside in a temporary folder.
"""

from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any, Self

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import KEY, SAMPLES, Corpus, asked, literal, locked, quoted, segment_table
from curation.core.storage import Storage

OVERLAP = 0.5
"""Intersection over union."""
MEMORY = "1GiB"
"""Of the database."""
VERDICTS = ("status_a", "reason_a", "status_b", "reason_b")
ALONE = """
CREATE TEMP TABLE {table}_alone AS
SELECT key, recording_id, start, "end", status, samples FROM {table}_keyed ANTI JOIN {other}_keyed USING (key)
"""
MOVED = f"""
CREATE TEMP TABLE moved AS
WITH near AS (
  SELECT one.key AS a, two.key AS b, (least(one."end", two."end") - greatest(one.start, two.start))
    / greatest(greatest(one."end", two."end") - least(one.start, two.start), 1e-9) AS share
  FROM a_alone AS one JOIN b_alone AS two
    ON one.recording_id = two.recording_id AND one.start < two."end" AND two.start < one."end")
SELECT a, b FROM near WHERE share >= {OVERLAP}
QUALIFY row_number() OVER (PARTITION BY a ORDER BY share DESC, b) = 1
    AND row_number() OVER (PARTITION BY b ORDER BY share DESC, a) = 1
"""
BOTH = """
FROM a_keyed AS x LEFT JOIN moved ON moved.a = x.key JOIN b_keyed AS y ON y.key = coalesce(moved.b, x.key)
"""
"""Segments of both builds that are the same, as `x` and `y`."""
OTHER_TEXT = "x.text <> y.text"


@dataclass(frozen=True)
class Builds:
    """Two builds in one database, as the views `a_keyed` and `b_keyed`; what has no counterpart by its name is in the
    tables `a_alone` and `b_alone`, and of these those that have moved in `moved`.
    """

    a: Corpus
    b: Corpus
    database: Any

    @classmethod
    def open(cls, a: str, b: str, scratch: str) -> Self:
        """Open both; `scratch` is an empty folder. Raises ConfigError as `Corpus.open` does."""
        one, two = Corpus.open(a), Corpus.open(b)
        tables = {"a": segment_table(Storage(a), one.index), "b": segment_table(Storage(b), two.index)}
        database = locked(tables, {"memory_limit": literal(MEMORY), "temp_directory": literal(scratch)})
        for table in tables:
            keyed = f"SELECT {KEY} AS key, {SAMPLES} AS samples, * FROM {table}"
            database.execute(f"CREATE TEMP VIEW {table}_keyed AS {keyed}")
        for table, other in (("a", "b"), ("b", "a")):
            database.execute(ALONE.format(table=table, other=other))
        database.execute(MOVED)
        return cls(one, two, database)

    def ask(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query."""
        return asked(self.database, query, parameters)


def diff(a: str, b: str, *, examples: int = 10) -> dict[str, Any]:
    """All that differs, as plain values; times in seconds."""
    with TemporaryDirectory() as scratch:
        builds = Builds.open(a, b, scratch)
        sums = _sums(builds)
        return {
            "a": a,
            "b": b,
            "verdicts": _verdicts(sums),
            "thresholds": _thresholds(builds),
            "texts": {**_texts(sums), "examples": _examples(builds, examples)},
            "scores": _scores(builds, sums),
            "only": {side: _only(builds, side) for side in "ab"},
        }


def _common(builds: Builds) -> list[str]:
    """Columns of scores that both have."""
    return [column for column in builds.a.scores if column in builds.b.scores]


def _sums(builds: Builds) -> list[dict[str, Any]]:
    """By the verdicts in both: segments, their samples in the first build, and how texts and scores differ."""
    told = "x.text IS NOT NULL AND y.text IS NOT NULL"
    sums = [
        "count(*) AS count",
        "sum(x.samples) AS samples",
        f"count(*) FILTER ({told}) AS texts",
        f"count(*) FILTER ({OTHER_TEXT}) AS other_texts",
        f"coalesce(sum(x.samples) FILTER ({OTHER_TEXT}), 0) AS other_samples",
    ]
    for number, column in enumerate(_common(builds)):
        one, two = f"x.{quoted(column)}", f"y.{quoted(column)}"
        differ = f"FILTER ({one} <> {two})"
        sums += [
            f"count(*) {differ} AS count_{number}",
            f"sum({two} - {one}) {differ} AS change_{number}",
            f"sum(abs({two} - {one})) {differ} AS distance_{number}",
        ]
    verdicts = "x.status AS status_a, x.reason AS reason_a, y.status AS status_b, y.reason AS reason_b"
    return builds.ask(f"SELECT {verdicts}, {', '.join(sums)} {BOTH} GROUP BY ALL")


def _verdicts(sums: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Changes of status or reason, those of most hours first; hours are those in the first build."""
    changed = [row for row in sums if (row["status_a"], row["reason_a"]) != (row["status_b"], row["reason_b"])]
    changed.sort(key=lambda row: (-row["samples"], *(row[name] or "" for name in VERDICTS)))
    return [
        {**{name: row[name] for name in (*VERDICTS, "count")}, "seconds": row["samples"] / SAMPLE_RATE}
        for row in changed
    ]


def _thresholds(builds: Builds) -> list[dict[str, Any]]:
    one, two = builds.a.index.thresholds, builds.b.index.thresholds
    fields = [field for field in {**one, **two} if one.get(field) != two.get(field)]
    return [{"setting": field, "a": one.get(field), "b": two.get(field)} for field in fields]


def _texts(sums: list[dict[str, Any]]) -> dict[str, Any]:
    """How many texts differ, of how many that both have."""
    return {
        "both": sum(row["texts"] for row in sums),
        "changed": sum(row["other_texts"] for row in sums),
        "seconds": sum(row["other_samples"] for row in sums) / SAMPLE_RATE,
    }


def _examples(builds: Builds, count: int) -> list[dict[str, Any]]:
    """Some of the texts that differ, those of the longest segments first."""
    return builds.ask(
        f"SELECT x.key AS a, y.key AS b, coalesce(y.language, x.language) AS language, x.text AS text_a, "
        f"y.text AS text_b {BOTH} WHERE {OTHER_TEXT} ORDER BY x.seconds DESC, x.key LIMIT $1",
        count,
    )


def _scores(builds: Builds, sums: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Scores that differ, of utterances that have them in both: how many, and by how much on average."""
    found = []
    for number, column in enumerate(_common(builds)):
        rows = [row for row in sums if row[f"count_{number}"]]
        if count := sum(row[f"count_{number}"] for row in rows):
            mean, distance = (sum(row[f"{name}_{number}"] for row in rows) / count for name in ("change", "distance"))
            found.append({"score": builds.a.scores[column], "count": count, "mean": mean, "mean_distance": distance})
    return found


def _only(builds: Builds, side: str) -> list[dict[str, Any]]:
    """What has no counterpart, by status."""
    return builds.ask(
        f"SELECT status, count(*) AS count, sum(samples) / {SAMPLE_RATE} AS seconds FROM {side}_alone "
        f"WHERE key NOT IN (SELECT {side} FROM moved) GROUP BY 1 ORDER BY 1"
    )
