"""The cube: at every stop of every slider, its sums are those of judging each segment anew."""

import json

import numpy as np
import pyarrow as pa
import pytest

from curation.audit.corpus import Corpus
from curation.audit.page.cube import APART, MISSING, cube
from curation.manifests.schemas import SCORE_MAP, VERDICT
from curation.manifests.verdicts import Rule, judge
from tests.support.audit.segments import segment_table, write_segments

RULES = segment_table().described_rules()
START = [rule["threshold"] for rule in RULES]

COUNT = 400
MOST = "consensus.max_compression_ratio"
"""The threshold by which most were rejected when they were published."""


COUNTS = {"systems": [1, 2, 3, 4], "words": [0, 0, 1, 2, 30]}


def scores(noise):
    """Of a segment; some are not measured, and some lie on a threshold."""
    found = {}
    for rule in RULES:
        column = rule["column"]
        values = COUNTS.get(column, [rule["threshold"], 0.0, round(noise.random(), 3)])
        if noise.random() > (0.3 if column == "pwer" else 0.05):
            found[column] = float(noise.choice(values))
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    folder, noise, rows = tmp_path_factory.mktemp("cube"), np.random.default_rng(7), []
    for number in range(COUNT):
        mine = scores(noise)
        fixed, unencoded, most = number % 9 == 0, number % 9 == 1, number % 9 == 4
        rows.append(
            {
                "id": f"u{number}",
                "recording_id": "r",
                "start": 0.0,
                "seconds": float(noise.integers(1, 100_000)) / 16_000,
                "language": ["de", "en", None][noise.integers(3)],
                "status": "rejected" if fixed or most else "failed" if unencoded else "kept",
                "reason": "diarize.exclude_overlap" if fixed else "tokenize" if unencoded else MOST if most else None,
                "rules_broken": None if fixed else 0,
                "marked": {2: "reject", 3: "accept"}.get(number % 9),
                **({} if fixed else mine),
            }
        )
    write_segments(folder, rows)
    tried = [row for row in rows if row["rules_broken"] is not None]
    names = [(rule["score"], rule["column"]) for rule in RULES]
    maps = pa.array([[(score, row[name]) for score, name in names if name in row] for row in tried], SCORE_MAP)
    return (tried, maps), cube(Corpus.open(str(folder))), Corpus.open(str(folder))


def by_judging(tried, thresholds):
    """Count and samples by language, status and reason, from the rules of the publish pass; `tried`: segments that they
    are applied to, and their scores.
    """
    rules = [
        Rule(rule["field"], rule["score"], rule["breaks"], threshold, rule["required"], rule["unless"])
        for rule, threshold in zip(RULES, thresholds, strict=True)
    ]
    rows, maps = tried
    verdicts = judge(maps, pa.nulls(len(rows), VERDICT), rules)
    found = {}
    for row, verdict in zip(rows, verdicts.to_pylist(), strict=True):
        now = verdict
        if row["marked"] == "accept" and verdict["status"] == "rejected":
            now = {"status": "kept", "reason": None}
        elif row["marked"] == "reject" and verdict["status"] == "kept":
            now = {"status": "rejected", "reason": "marks.reject"}
        elif verdict["status"] == "kept" and row["status"] == "failed":
            now = row  # what the tokenizers could not encode stays so
        key = row["language"] or "", now["status"], now["reason"] or ""
        count, samples = found.get(key, (0, 0))
        found[key] = count + 1, samples + round(row["seconds"] * 16_000)
    return found


def by_cube(made, stops):
    """The same from the cube, where the sliders stand on these edges."""
    found, cells = {}, made["cells"]
    for cell, language in enumerate(cells["language"]):
        otherwise = made["outcomes"][cells["otherwise"][cell]]
        kept = otherwise in {"", "marks.accept"}
        status = "kept" if kept else "rejected" if otherwise == "marks.reject" else "failed"
        reason = "" if kept else otherwise
        for rule, bins, stop in zip(RULES, cells["bins"], stops, strict=True):
            if bins[cell] == APART:
                continue
            if bins[cell] == MISSING:
                if rule["required"]:
                    status, reason = "failed", rule["field"]
                    break
            elif bins[cell] <= stop if rule["breaks"] == "<" else bins[cell] > stop:
                if otherwise != "marks.accept":
                    status, reason = "rejected", rule["field"]
                break
        key = made["languages"][language], status, reason
        count, samples = found.get(key, (0, 0))
        found[key] = count + cells["count"][cell], samples + cells["samples"][cell]
    return found


def test_every_stop_of_every_slider_is_exact(judged):
    tried, made, _ = judged
    start = [edges.index(threshold) for edges, threshold in zip(made["edges"], START, strict=True)]
    for dim, edges in enumerate(made["edges"]):
        for stop in range(len(edges)):
            stops = [stop if at == dim else edge for at, edge in enumerate(start)]
            thresholds = [made["edges"][at][edge] for at, edge in enumerate(stops)]
            assert by_cube(made, stops) == by_judging(tried, thresholds)


def test_combinations_are_exact_too(judged):
    tried, made, _ = judged
    noise = np.random.default_rng(3)
    for _ in range(30):
        stops = [int(noise.integers(len(edges))) for edges in made["edges"]]
        thresholds = [made["edges"][at][edge] for at, edge in enumerate(stops)]
        assert by_cube(made, stops) == by_judging(tried, thresholds)


def test_one_end_of_each_slider_rejects_nothing(judged):
    _, made, _ = judged
    ends = [0 if rule["breaks"] == "<" else len(edges) - 1 for rule, edges in zip(RULES, made["edges"], strict=True)]
    found = {(status, reason) for _, status, reason in by_cube(made, ends) if status != "failed"}
    assert found == {("kept", ""), ("rejected", "marks.reject")}


def test_what_stages_have_decided_stands_apart(judged):
    (rows, _), made, _ = judged
    fixed = COUNT - len(rows)
    assert sum(row[3] for row in made["fixed"]) == fixed
    assert {tuple(row[1:3]) for row in made["fixed"]} == {("rejected", "diarize.exclude_overlap")}
    assert sum(made["cells"]["count"]) == len(rows)


def test_edges_are_few_sorted_and_hold_the_threshold(judged):
    _, made, _ = judged
    for edges, threshold in zip(made["edges"], START, strict=True):
        assert edges == sorted(set(edges))
        assert threshold in edges
        assert len(edges) <= 24
    systems = [rule["column"] for rule in RULES].index("systems")
    assert all(edge.is_integer() for edge in made["edges"][systems])
    json.dumps(made, allow_nan=False)


def all_stops(made):
    """Sliders that stand here and there."""
    noise = np.random.default_rng(5)
    return [[int(noise.integers(len(edges))) for edges in made["edges"]] for _ in range(10)]


@pytest.mark.parametrize("most", [350, 100, 20, 1])
def test_fewer_cells_have_fewer_edges_and_the_same_sums(judged, most):
    tried, whole, corpus = judged
    made = cube(corpus, most, at_once=50)
    assert len(made["cells"]["count"]) < len(whole["cells"]["count"])
    assert len(made["cells"]["count"]) <= most or max(map(len, made["edges"])) == 1
    for edges, fine, threshold in zip(made["edges"], whole["edges"], START, strict=True):
        assert {threshold} <= {*edges} <= {*fine}
    for stops in all_stops(made):
        thresholds = [edges[stop] for edges, stop in zip(made["edges"], stops, strict=True)]
        assert by_cube(made, stops) == by_judging(tried, thresholds)


def test_where_not_all_thresholds_can_be_moved_those_that_reject_most_can(judged):
    _, _, corpus = judged
    edges = {rule["field"]: len(mine) for rule, mine in zip(RULES, cube(corpus, 150)["edges"], strict=True)}
    assert edges[MOST] > 1
    assert 1 < sum(number > 1 for number in edges.values()) < len(edges)


def test_it_does_not_matter_how_many_segments_are_read_at_once(judged):
    _, made, corpus = judged
    assert cube(corpus, at_once=7) == made
    assert cube(corpus, 100, at_once=7) == cube(corpus, 100)
