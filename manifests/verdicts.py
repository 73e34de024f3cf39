"""Applies the thresholds: scores of segments in, verdicts out, a whole table at a time.

The label pass stores scores only, so that a threshold can be changed without running a model again. A segment that
has a verdict already (overlap, too short, a failure) keeps it. Otherwise the first rule that it breaks is the
reason; a missing score is a failure, since nothing is kept without evidence. All rules are tried, whatever the reason
is: `rules_broken` and `rules_missing` have a bit for each, the lowest for the first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curation.manifests.schemas import JUDGED, VERDICTS

MOST_RULES = 32
"""That have a bit."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A segment is rejected where its `score` is `breaks` the threshold."""

    field: str
    """The configuration field that holds the threshold: the reason of a rejection."""
    score: str
    breaks: Literal["<", ">", ">="]
    threshold: float
    required: bool = True
    """Whether a segment without the score is a failure."""
    unless: str = ""
    """Another score: a segment that has it is not judged by this rule."""

    def broken_by(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Where the values break the rule (NaN never does)."""
        compare = {"<": np.less, ">": np.greater, ">=": np.greater_equal}[self.breaks]
        return np.asarray(compare(values, self.threshold), dtype=np.bool_)


def judge(scores: pa.Array, verdicts: pa.Array, rules: Sequence[Rule]) -> pa.Table:
    """Verdict of each segment, as a table of `JUDGED`.

    `scores` is an array of map<string, double> and `verdicts` one of structs or nulls, both (segments,). Segments that
    have a verdict are not tried: their bits are null.
    """
    columns = {name: _field(verdicts, name, VERDICTS.field(name).type) for name in VERDICTS.names}
    status = np.asarray(columns["status"].to_pylist(), dtype=object)
    tried = status == None  # noqa: E711 - element by element
    reason, value, threshold, detail = (
        np.asarray(columns[name].to_pylist(), dtype=object) for name in VERDICTS.names[1:]
    )
    open_, bits = tried.copy(), np.zeros((2, len(status)), np.uint32)
    for number, rule in enumerate(rules):
        measured = _lookup(scores, rule.score)
        applies = np.isnan(_lookup(scores, rule.unless)) if rule.unless else np.True_
        absent, hit = applies & np.isnan(measured), applies & rule.broken_by(measured)
        bits |= np.stack([hit, absent]).astype(np.uint32) << np.uint32(number)
        missing, broken = open_ & absent & rule.required, open_ & hit
        status[missing], reason[missing] = "failed", rule.field
        names = f"{rule.score} or {rule.unless}" if rule.unless else rule.score
        detail[missing] = f"no score {names}: label again"
        status[broken], reason[broken], threshold[broken] = "rejected", rule.field, rule.threshold
        value[broken] = measured[broken]
        open_ &= ~(missing | broken)
    status[open_] = "kept"
    arrays = [
        pa.array(array, type=field.type, from_pandas=True)
        for array, field in zip([status, reason, value, threshold, detail], VERDICTS, strict=True)
    ]
    return pa.table([*arrays, *(pa.array(row, mask=~tried) for row in bits)], schema=JUDGED)


def _field(structs: pa.Array, name: str, kind: pa.DataType) -> pa.Array:
    if len(structs) == 0:
        return pa.array([], kind)
    return pc.struct_field(structs, name)


def _lookup(scores: pa.Array, key: str) -> npt.NDArray[np.float64]:
    if len(scores) == 0:
        return np.empty(0)
    found = pc.map_lookup(scores, pa.scalar(key), "first")
    return np.asarray(pc.fill_null(found, float("nan")), dtype=np.float64)
