"""Who and what has most of the hours that are kept."""

from typing import Any, Literal

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import SAMPLES, Corpus

Kind = Literal["speakers", "recordings", "languages"]
COLUMNS = {"speakers": "speaker", "recordings": "recording_id", "languages": "language"}


def top(corpus: Corpus, kind: Kind, count: int) -> dict[str, Any]:
    """The `count` with most kept seconds, each with its share, what it had in all, and its utterances."""
    name = COLUMNS[kind]
    kept = f"coalesce(CAST(sum({SAMPLES}) FILTER (status = 'kept') AS BIGINT), 0)"
    rows = corpus.ask(
        f"SELECT {name} AS name, {kept} AS kept, CAST(sum({SAMPLES}) AS BIGINT) AS total, "
        f"count(*) FILTER (status = 'kept') AS utterances, CAST(sum(kept) OVER () AS BIGINT) AS whole, "
        f"count(*) FILTER (kept > 0) OVER () AS names FROM segments GROUP BY 1 ORDER BY kept DESC, name LIMIT $1",
        [count],
    )
    whole = rows[0]["whole"] if rows else 0
    return {
        "kind": kind,
        "names": rows[0]["names"] if rows else 0,
        "kept_seconds": whole / SAMPLE_RATE,
        "top": [
            {
                "name": row["name"],
                "kept_seconds": row["kept"] / SAMPLE_RATE,
                "share": row["kept"] / whole if whole else 0.0,
                "seconds": row["total"] / SAMPLE_RATE,
                "utterances": row["utterances"],
            }
            for row in rows
        ],
    }
