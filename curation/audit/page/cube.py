"""Hours by language and by the bins of every threshold, so that a page adds up exactly what other thresholds keep.

A bin holds the values between two neighbouring edges, and the configured threshold is always an edge; a slider that
stands on an edge therefore divides the cells, and no segment within one. Cells without a segment are not stored.
"""

import math
from collections.abc import Sequence
from typing import Any

from curation.audit.corpus import SAMPLES, Corpus, literal
from curation.manifests.verdicts import Rule

MAX_CELLS = 150_000
EDGES = (24, 16, 12, 8, 5, 3)
"""Edges of each threshold; fewer where the cube would have more than `MAX_CELLS`."""
PART = 5
"""Of the segments, in percent, on which it is tried whether there are too many cells."""
JUDGED = "rules_broken IS NOT NULL"
"""Condition: the thresholds were tried. Of the others a stage has given the verdict, and keeps it."""
MISSING, APART = -1, -2
"""Bins of segments without the score, and of those to which the rule does not apply."""
LANGUAGE = "coalesce(language, '')"
SUMS = f"count(*), sum({SAMPLES})::BIGINT"


def cube(corpus: Corpus) -> dict[str, Any]:
    """The cube, and beside it `fixed`: what no threshold changes, by language, status and reason.

    A cell has the language, a bin for each rule, and `otherwise`: what becomes of its segments where all rules are met,
    as a number in `outcomes`. The first is kept; `marks.reject` and `marks.accept` are what people said, and the latter
    is kept too where the first rule that is not met is broken; others are failures that come after the thresholds.
    """
    spreads = [_spread(corpus, rule) for rule in corpus.rules]
    for most in EDGES:
        edges = [_edges(rule, spread, most) for rule, spread in zip(corpus.rules, spreads, strict=True)]
        if _surely_too_many(corpus, edges) and most != EDGES[-1]:
            continue
        cells = _cells(corpus, edges)
        if len(cells) <= MAX_CELLS:
            break
    fixed = corpus.database.execute(
        f"SELECT {LANGUAGE}, status, coalesce(reason, ''), {SUMS} FROM segments WHERE NOT ({JUDGED}) "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    languages = sorted({row[0] for row in [*cells, *fixed]})
    code = {language: number for number, language in enumerate(languages)}
    outcomes = ["", *sorted({cell[1] for cell in cells} - {""})]
    return {
        "languages": languages,
        "edges": edges,
        "outcomes": outcomes,
        "cells": {
            "language": [code[cell[0]] for cell in cells],
            "otherwise": [outcomes.index(cell[1]) for cell in cells],
            "bins": [[cell[2 + number] for cell in cells] for number in range(len(edges))],
            "count": [cell[-2] for cell in cells],
            "samples": [cell[-1] for cell in cells],
        },
        "fixed": [[code[row[0]], *row[1:]] for row in fixed],
    }


def _surely_too_many(corpus: Corpus, edges: Sequence[Sequence[float]]) -> bool:
    """Whether a part of the segments alone fills more cells: of many segments, all are counted once or twice only."""
    part = f"SELECT DISTINCT {_chosen(corpus, edges)} FROM segments USING SAMPLE {PART} PERCENT (system, 0)"
    ((count,),) = corpus.database.execute(f"SELECT count(*) FROM ({part})").fetchall()
    return bool(count > MAX_CELLS)


def _cells(corpus: Corpus, edges: Sequence[Sequence[float]]) -> list[tuple[Any, ...]]:
    query = f"SELECT {_chosen(corpus, edges)}, {SUMS} FROM segments WHERE {JUDGED} GROUP BY ALL ORDER BY ALL"
    return list(corpus.database.execute(query).fetchall())


def _chosen(corpus: Corpus, edges: Sequence[Sequence[float]]) -> str:
    """Language, what becomes of a segment otherwise, and its bins, as SQL."""
    bins = [_bin(corpus, rule, found) for rule, found in zip(corpus.rules, edges, strict=True)]
    fields = ", ".join(literal(rule.field) for rule in corpus.rules) or "NULL"
    otherwise = (
        f"CASE WHEN status = 'failed' AND reason NOT IN ({fields}) THEN coalesce(reason, '') "
        "ELSE coalesce('marks.' || marked, '') END"
    )
    return ", ".join([LANGUAGE, otherwise, *bins])


def _bin(corpus: Corpus, rule: Rule, edges: Sequence[float]) -> str:
    """The number of edges that a value has passed: for `>` those below it, else those up to it."""
    value, sign = corpus.value(rule.score), ">" if rule.breaks == ">" else ">="
    passed = " + ".join(f"({value} {sign} {edge!r}::DOUBLE)::INT" for edge in edges)
    found = f"if({value} IS NULL, {MISSING}, {passed})"
    return f"if({corpus.value(rule.unless)} IS NOT NULL, {APART}, {found})" if rule.unless else found


def _spread(corpus: Corpus, rule: Rule) -> dict[str, Any]:
    """Least and greatest value, quantiles, and whether all are whole numbers."""
    value = corpus.value(rule.score)
    steps = ", ".join(f"{step / 24:.4f}" for step in range(1, 24))
    (found,) = corpus.ask(
        f"SELECT min({value}) AS low, max({value}) AS high, bool_and({value} = floor({value})) AS whole, "
        f"approx_quantile({value}, [{steps}]) AS quantiles FROM segments WHERE {JUDGED} AND isfinite({value})"
    )
    return found


def _edges(rule: Rule, spread: dict[str, Any], most: int) -> list[float]:
    """At most `most` round numbers that divide the values, with the configured one; at one end nothing is rejected."""
    low, high = spread["low"], spread["high"]
    if low is None:
        return [float(rule.threshold)]
    whole = spread["whole"] and float(rule.threshold).is_integer()
    unit = 1.0 if whole else 10.0 ** (math.floor(math.log10(max(high - low, 1e-6))) - 1)
    even = (low + (high - low) * step / 20 for step in range(1, 20))
    inner = {_round(math.floor(value / unit) * unit) for value in [*spread["quantiles"], *even]}
    found = sorted(edge for edge in inner if low < edge < high)
    open_end = math.floor(low / unit) * unit if rule.breaks == "<" else (math.floor(high / unit) + 1) * unit
    always = {float(rule.threshold), _round(open_end)}
    return sorted(always | set(_thinned(found, most - len(always))))


def _round(edge: float) -> float:
    return float(f"{edge:.6g}")


def _thinned(values: Sequence[float], most: int) -> list[float]:
    if len(values) <= most:
        return list(values)
    return [values[round(step * (len(values) - 1) / max(most - 1, 1))] for step in range(most)]
