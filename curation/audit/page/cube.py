"""Hours by language and by the bins of every threshold, so that a page adds up exactly what other thresholds keep.

A bin holds the values between two neighbouring edges, and the configured threshold is always an edge; a slider that
stands on an edge therefore divides the cells, and no segment within one. Cells without a segment are not stored.

The segments are read once, part by part. Where the cells become too many, every threshold gives up some of its edges,
then those with the fewest rejects all but one, and the cells between them are added up: memory does not grow with the
corpus, and no sum is lost. What a threshold that cannot be moved has decided is told apart by nothing that comes after.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from curation.audit.corpus import SAMPLES, Corpus, literal
from curation.manifests.verdicts import Rule

MAX_CELLS = 150_000
EDGES, FEW_EDGES = (24, 16, 12, 8, 6), (5, 4, 3, 2, 1)
"""Edges of each threshold; fewer where the cube would have more than `MAX_CELLS`. Of one edge, only the verdict that is
published can be told from others."""
MOVABLE = 4
"""Thresholds that have more than one edge still when there are to be `FEW_EDGES`: those that reject most."""
SPREAD_ROWS = 500_000
"""Segments, about, by whose quantiles edges are chosen; the ends of the values are those of all."""
BATCH_ROWS = 500_000
JUDGED = "rules_broken IS NOT NULL"
"""Condition: the thresholds were tried. Of the others a stage has given the verdict, and keeps it."""
MISSING, APART = -1, -2
"""Bins of segments without the score, and of those to which the rule does not apply."""
LANGUAGE = "coalesce(language, '')"

Edges = list[list[float]]
"""Of each rule, ascending."""


def cube(corpus: Corpus, most: int = MAX_CELLS, at_once: int = BATCH_ROWS) -> dict[str, Any]:
    """The cube, and beside it `fixed`: what no threshold changes, by language, status and reason.

    A cell has the language, a bin for each rule, and `otherwise`: what becomes of its segments where all rules are met,
    as a number in `outcomes`. The first is kept; `marks.reject` and `marks.accept` are what people said, and the latter
    is kept too where the first rule that is not met is broken; others are failures that come after the thresholds.
    There are at most `most` cells where fewer edges can do that; so many segments are read `at_once`.
    """
    edges, cells = _cells(corpus, _edges(corpus), most, at_once)
    fixed = corpus.database.execute(
        f"SELECT {LANGUAGE}, status, coalesce(reason, ''), count(*), sum({SAMPLES})::BIGINT FROM segments "
        f"WHERE NOT ({JUDGED}) GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found = cells.to_pydict()
    languages = sorted({*found["language"], *(row[0] for row in fixed)})
    outcomes = ["", *sorted({*found["otherwise"]} - {""})]
    codes = {name: number for number, name in enumerate(languages)}
    return {
        "languages": languages,
        "edges": edges,
        "outcomes": outcomes,
        "cells": {
            "language": [codes[name] for name in found["language"]],
            "otherwise": [outcomes.index(name) for name in found["otherwise"]],
            "bins": [found[f"bin_{number}"] for number in range(len(edges))],
            "count": found["count"],
            "samples": found["samples"],
        },
        "fixed": [[codes[row[0]], *row[1:]] for row in fixed],
    }


def _cells(corpus: Corpus, edges: Edges, most: int, at_once: int) -> tuple[Edges, pa.Table]:
    """The cells, sorted, with the edges that are left between them."""
    rules, fewer = corpus.rules, _fewer(edges, _rejects(corpus))
    segments = corpus.database.sql(_query(corpus)).to_arrow_reader(at_once)
    cells = _binned(segments.schema.empty_table(), rules, edges)
    for part in _parts(segments, at_once):
        cells = _added(pa.concat_tables([cells, _settled(_binned(part, rules, edges), rules, edges)]))
        while cells.num_rows > most and (numbers := next(fewer, None)):
            left = [_thinned(*each) for each in zip(edges, rules, numbers, strict=True)]
            edges, cells = left, _added(_settled(_coarser(cells, edges, left), rules, left))
    return edges, cells.sort_by([(name, "ascending") for name in _keys(cells)])


def _parts(segments: pa.RecordBatchReader, at_once: int) -> Iterator[pa.Table]:
    """Tables of so many segments or a few more: of the reader's own batches each would be added to all cells."""
    waiting: list[pa.RecordBatch] = []
    for batch in segments:
        waiting.append(batch)
        if sum(item.num_rows for item in waiting) >= at_once:
            yield pa.Table.from_batches(waiting)
            waiting = []
    yield pa.Table.from_batches(waiting, segments.schema)


def _rejects(corpus: Corpus) -> list[int]:
    """How many segments each rule rejects."""
    counts = dict(corpus.database.execute("SELECT reason, count(*) FROM segments GROUP BY 1").fetchall())
    return [counts.get(rule.field, 0) for rule in corpus.rules]


def _fewer(edges: Edges, rejects: Sequence[int]) -> Iterator[list[int]]:
    """Ever fewer edges of each rule: of all, then of those that reject least, then of all again."""
    for most in EDGES[1:]:
        yield [most] * len(edges)
    numbers = [EDGES[-1]] * len(edges)
    movable = [number for number, mine in enumerate(edges) if len(mine) > 1]
    for number in sorted(movable, key=rejects.__getitem__)[: max(0, len(movable) - MOVABLE)]:
        numbers[number] = 1
        yield [*numbers]
    for most in FEW_EDGES:
        yield [min(most, number) for number in numbers]


def _settled(cells: pa.Table, rules: Sequence[Rule], edges: Edges) -> pa.Table:
    """Cells in which nothing is told apart that no slider can bring about: rules are tried in order, and after one that
    cannot be moved and is not met no other is tried. Those are as if they did not apply.
    """
    decided = np.zeros(cells.num_rows, bool)
    for number, (rule, mine) in enumerate(zip(rules, edges, strict=True)):
        bins = np.where(decided, APART, cells[f"bin_{number}"].to_numpy()).astype(np.int8)
        cells = cells.set_column(cells.column_names.index(f"bin_{number}"), f"bin_{number}", pa.array(bins))
        if len(mine) == 1:
            broken = bins == (0 if rule.breaks == "<" else 1)
            decided |= broken | (bins == MISSING) & rule.required
    return cells


def _query(corpus: Corpus) -> str:
    """What each segment has of a cell: language, `otherwise`, count, samples; its scores, and those it is apart by."""
    fields = ", ".join(literal(rule.field) for rule in corpus.rules) or "NULL"
    otherwise = (
        f"CASE WHEN status = 'failed' AND reason NOT IN ({fields}) THEN coalesce(reason, '') "
        "ELSE coalesce('marks.' || marked, '') END"
    )
    values = [f"{corpus.value(rule.score)}::DOUBLE AS value_{number}" for number, rule in enumerate(corpus.rules)]
    apart = [
        f"{corpus.value(rule.unless)} IS NOT NULL AS apart_{number}"
        for number, rule in enumerate(corpus.rules)
        if rule.unless
    ]
    chosen = [f"{LANGUAGE} AS language", f"{otherwise} AS otherwise", "1::BIGINT AS count", f"{SAMPLES} AS samples"]
    return f"SELECT {', '.join([*chosen, *values, *apart])} FROM segments WHERE {JUDGED}"


def _binned(part: pa.Table, rules: Sequence[Rule], edges: Edges) -> pa.Table:
    """Segments with bins in place of scores."""
    found = {name: part[name] for name in ("language", "otherwise")}
    for number, (rule, mine) in enumerate(zip(rules, edges, strict=True)):
        values = part[f"value_{number}"].to_numpy()
        # How many edges it has passed: for `>` those below it, else those up to it.
        bins = np.searchsorted(mine, values, side="left" if rule.breaks == ">" else "right").astype(np.int8)
        bins[np.isnan(values)] = MISSING
        if rule.unless:
            bins[part[f"apart_{number}"].to_numpy()] = APART
        found[f"bin_{number}"] = bins
    return pa.table({**found, "count": part["count"], "samples": part["samples"]})


def _added(cells: pa.Table) -> pa.Table:
    """Each cell once, with the sums of its segments."""
    sums = ["count", "samples"]
    found = cells.group_by(_keys(cells), use_threads=False).aggregate([(name, "sum") for name in sums])
    return found.rename_columns({f"{name}_sum": name for name in sums}).select(cells.column_names)


def _keys(cells: pa.Table) -> list[str]:
    return [name for name in cells.column_names if name not in {"count", "samples"}]


def _coarser(cells: pa.Table, edges: Edges, left: Edges) -> pa.Table:
    """The cells in the bins between fewer edges."""
    for number, (mine, kept) in enumerate(zip(edges, left, strict=True)):
        passed = np.concatenate([[0], np.cumsum(np.isin(mine, kept))])
        bins = cells[f"bin_{number}"].to_numpy()
        place = cells.column_names.index(f"bin_{number}")
        cells = cells.set_column(
            place, f"bin_{number}", pa.array(np.where(bins < 0, bins, passed[bins]).astype(np.int8))
        )
    return cells


def _edges(corpus: Corpus) -> Edges:
    """At most `EDGES[0]` round numbers for each rule that divide its values."""
    bounds, quantiles = [], []
    for rule in corpus.rules:
        value = corpus.value(rule.score)
        of = f"FILTER (isfinite({value}))"
        whole = f"bool_and({value} = floor({value})) {of}" if float(rule.threshold).is_integer() else "false"
        bounds += [f"min({value}) {of}", f"max({value}) {of}", whole]
        steps = ", ".join(f"{step / 24:.4f}" for step in range(1, 24))
        quantiles.append(f"approx_quantile({value}, [{steps}]) FILTER (isfinite({value}))")
    if not corpus.rules:
        return []
    (ends,) = corpus.database.execute(f"SELECT {', '.join(bounds)} FROM segments WHERE {JUDGED}").fetchall()
    ((count,),) = corpus.database.execute("SELECT count(*) FROM segments").fetchall()
    part = min(100.0, 100 * SPREAD_ROWS / max(count, 1))
    (middles,) = corpus.database.execute(
        f"SELECT {', '.join(quantiles)} FROM segments USING SAMPLE {part:.4f} PERCENT (system, 0)"
    ).fetchall()
    return [
        _divided(rule, ends[3 * number : 3 * number + 3], middles[number] or [])
        for number, rule in enumerate(corpus.rules)
    ]


def _divided(rule: Rule, ends: tuple[float | None, float, bool], quantiles: Sequence[float]) -> list[float]:
    """Edges between the least and the greatest value, with the threshold; at one end nothing is rejected.

    `ends`: both, and whether all values and the threshold are whole numbers.
    """
    low, high, whole = ends
    if low is None:
        return [float(rule.threshold)]
    unit = 1.0
    if not whole:
        unit = 10.0 ** (math.floor(math.log10(max(high - low, 1e-6))) - 1)
    even = (low + (high - low) * step / 20 for step in range(1, 20))
    inner = {_round(math.floor(value / unit) * unit) for value in [*quantiles, *even]}
    open_end = math.floor(low / unit) * unit if rule.breaks == "<" else (math.floor(high / unit) + 1) * unit
    found = {edge for edge in inner if low < edge < high} | {float(rule.threshold), _round(open_end)}
    return _thinned(sorted(found), rule, EDGES[0])


def _round(edge: float) -> float:
    return float(f"{edge:.6g}")


def _thinned(edges: Sequence[float], rule: Rule, most: int) -> list[float]:
    """At most so many of the edges, with the threshold, and with the end at which nothing is rejected."""
    always = (
        {float(rule.threshold), edges[0] if rule.breaks == "<" else edges[-1]} if most > 1 else {float(rule.threshold)}
    )
    others, room = [edge for edge in edges if edge not in always], most - len(always)
    if len(others) > room:
        others = [others[round(step * (len(others) - 1) / max(room - 1, 1))] for step in range(room)]
    return sorted(always.union(others))
