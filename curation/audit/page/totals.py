"""Hours of a corpus: outside of segments, of each speaker and of each recording."""

from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import SAMPLES, Corpus
from curation.core.errors import DataError
from curation.manifests.ledger import NON_SPEECH, REMOVED
from curation.manifests.summary import Summary

TOP = 100
RECORDINGS = 500
POINTS = 200
"""Of the Lorenz curve."""


def outside(corpus: Corpus, summary: Summary) -> list[list[Any]]:
    """Status, reason, count and samples of what is no segment. Raises DataError where sums differ from the summary:
    the files are of different publish passes.
    """
    found = [line for line in summary.lines if line.status in {NON_SPEECH, REMOVED}]
    ((inside,),) = _rows(corpus, f"SELECT coalesce(sum({SAMPLES}), 0)::BIGINT FROM segments")
    total = inside + sum(round(line.seconds * SAMPLE_RATE) for line in found)
    said = sum(round(line.seconds * SAMPLE_RATE) for line in summary.lines)
    if total != said:
        root = corpus.root
        msg = (
            f"{root}: segments and what is none add up to {total / SAMPLE_RATE:.3f} s, summary.json says "
            f"{said / SAMPLE_RATE:.3f} s: publish it again with `curation build -o {root}`"
        )
        raise DataError(msg)
    return [[line.status, line.reason, line.count, round(line.seconds * SAMPLE_RATE)] for line in found]


def speakers(corpus: Corpus) -> dict[str, Any]:
    """How the kept seconds are divided among speakers: Lorenz curve, Gini coefficient, and those with most."""
    corpus.database.execute(
        f"CREATE OR REPLACE TEMP TABLE by_speaker AS SELECT coalesce(speaker, '') AS speaker, "
        f"sum({SAMPLES})::BIGINT AS samples, count(*) AS count FROM segments WHERE status = 'kept' GROUP BY 1"
    )
    corpus.database.execute(
        "CREATE OR REPLACE TEMP TABLE ranked AS SELECT samples, row_number() OVER (ORDER BY samples) AS rank, "
        "sum(samples) OVER (ORDER BY samples ROWS UNBOUNDED PRECEDING) AS up_to FROM by_speaker"
    )
    ((count, total, gini),) = _rows(
        corpus,
        "SELECT count(*), coalesce(sum(samples), 0)::BIGINT, "
        "coalesce(sum(samples * (2 * rank - (SELECT count(*) FROM ranked) - 1))::DOUBLE / (count(*) * sum(samples)), 0)"
        " FROM ranked",
    )
    step = max(1, count // POINTS)
    shown = f"rank % {step} = 0 OR rank = {count}"
    curve = _rows(corpus, f"SELECT rank, up_to::BIGINT FROM ranked WHERE {shown} ORDER BY 1")
    top = _rows(corpus, f"SELECT speaker, samples, count FROM by_speaker ORDER BY samples DESC, speaker LIMIT {TOP}")
    return {
        "count": count,
        "gini": gini,
        "lorenz": [[0, 0], *([rank / count, up_to / max(total, 1)] for rank, up_to in curve)],
        "top": [list(row) for row in top],
    }


def recordings(corpus: Corpus) -> dict[str, Any]:
    """Count, samples of segments and those kept, of the recordings that lose most."""
    kept = f"coalesce(sum({SAMPLES}) FILTER (status = 'kept'), 0)::BIGINT"
    top = _rows(
        corpus,
        f"SELECT recording_id, any_value(path), count(*), sum({SAMPLES})::BIGINT AS samples, {kept} AS kept "
        f"FROM segments GROUP BY 1 ORDER BY samples - kept DESC, 1 LIMIT {RECORDINGS}",
    )
    ((count,),) = _rows(corpus, "SELECT count(DISTINCT recording_id) FROM segments")
    return {"count": count, "top": [list(row) for row in top]}


def _rows(corpus: Corpus, query: str) -> list[tuple[Any, ...]]:
    return list(corpus.database.execute(query).fetchall())
