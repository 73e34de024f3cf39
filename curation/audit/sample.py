"""A random sample of segments that stands for all: by reason, language, and near to or far from a threshold.

Each stratum gives as many as every other, as far as it has them; `weight` says for how many segments a row stands, so
that weighted shares are those of the corpus. Rows are drawn in the order of a hash of seed and id: a corpus that grows
keeps most of its sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.audit.corpus import KEY, Corpus, named, quoted
from curation.core.errors import ConfigError
from curation.manifests.verdicts import Rule

Sort = Literal["random", "disagreement"]
RANDOM = f"md5_number_lower($seed || ':' || {KEY})"
"""The order in which rows are drawn."""
NEAR = 0.2
"""Part of a threshold by which it moves."""
NEAR_ZERO = 0.05
"""By how much a threshold of 0 moves."""
SHOWN = [
    "id",
    "recording_id",
    "path",
    "start",
    "seconds",
    "speaker",
    "language",
    "status",
    "reason",
    "value",
    "threshold",
    "rules_broken",
    "rules_missing",
    "text",
    "hypotheses",
    "outlier",
]


@dataclass(frozen=True)
class Filter:
    """Which segments are asked for; None: all."""

    status: str | None = None
    reason: str | None = None
    language: str | None = None

    @property
    def sql(self) -> str:
        """A condition; its parameters are those of `parameters`."""
        return " AND ".join(f"{name} = ${name}" for name in self.parameters) or "true"

    @property
    def parameters(self) -> dict[str, str]:
        """The values that are set."""
        return {name: value for name, value in vars(self).items() if value is not None}


def sample(corpus: Corpus, chosen: Filter, count: int, *, seed: int = 0, sort: Sort = "random") -> list[dict[str, Any]]:
    """So many segments with `stratum`, its `size`, and `weight`; all where there are fewer.

    Raises ConfigError where there is none.
    Sorted by disagreement they are those with the highest pWER, and no random sample: their weight and size are None.
    """
    close, parameters = near(corpus.rules, corpus.value), {**chosen.parameters, "seed": str(seed)}
    rows = f"""
        SELECT {KEY} AS key, {RANDOM} AS random, {corpus.value("pwer")} AS pwer,
            coalesce(reason, status) || '/' || coalesce(language, '') || '/' || if({close}, 'near', 'far') AS stratum
        FROM segments WHERE {chosen.sql}"""
    counted = corpus.ask(f"SELECT stratum, count(*) AS count FROM ({rows}) GROUP BY 1", parameters)
    sizes = {row["stratum"]: row["count"] for row in counted}
    if not sizes:
        asked = ", ".join(f"{name} {value!r}" for name, value in chosen.parameters.items()) or "any status"
        msg = f"{corpus.root} has no segment with {asked}: see `curation summary {corpus.root}`"
        raise ConfigError(msg)
    if sort == "disagreement":
        most = "WHERE pwer IS NOT NULL ORDER BY pwer DESC, random, key LIMIT $count"
        found = corpus.ask(f"SELECT key, stratum FROM ({rows}) {most}", {**parameters, "count": count})
        return _shown(corpus, [{**row, "weight": None, "size": None} for row in found])
    shares = {name: share for name, share in allocated(sizes, count).items() if share}
    taken = f"""
        SELECT key, stratum, row_number() OVER (PARTITION BY stratum ORDER BY random, key) AS place
        FROM ({rows}) JOIN (SELECT unnest($names) AS stratum, unnest($takes) AS take, unnest($most) AS most)
        USING (stratum) WHERE random <= most QUALIFY place <= take ORDER BY place, random, key"""
    drawn = {
        "names": list(shares),
        "takes": list(shares.values()),
        "most": [most_random(share, sizes[name]) for name, share in shares.items()],
    }
    found = corpus.ask(taken, {**parameters, **drawn})
    weights = {name: {"weight": sizes[name] / share, "size": sizes[name]} for name, share in shares.items()}
    return _shown(corpus, [{**row, **weights[row["stratum"]]} for row in found])


def most_random(take: int, count: int) -> float:
    """A place in the random order behind the first `take` of `count` rows, surely: what is behind it is not sorted."""
    return min(1.0, (2 * take + 50) / count) * 2.0**64


def _shown(corpus: Corpus, picked: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows of these keys in their order, with what is `SHOWN` and the scores: only now texts are read."""
    columns = ", ".join([*SHOWN, *map(quoted, corpus.scores)])
    by_key = named(corpus.database, [row["key"] for row in picked], columns)
    return [{**by_key[row["key"]], **{name: row[name] for name in ("stratum", "weight", "size")}} for row in picked]


def allocated(sizes: Mapping[str, int], count: int) -> dict[str, int]:
    """How many to take of each stratum: equal parts, and more of the others where one has fewer.

    Of more strata than `count`, the smallest give nothing.
    """
    largest = sorted(sizes, key=lambda name: (-sizes[name], name))[:count]
    shares, left = dict.fromkeys(sizes, 0), count
    for done, name in enumerate(reversed(largest)):  # what a small one does not have goes to the larger ones
        shares[name] = min(sizes[name], left // (len(largest) - done))
        left -= shares[name]
    return shares


def near(rules: Sequence[Rule], value: Any) -> str:
    """Condition: thresholds that are moved by a fifth could give another verdict."""
    if not rules:
        return "false"
    reach = [NEAR * abs(rule.threshold) or NEAR_ZERO for rule in rules]
    close = [
        f"coalesce(abs({value(rule.score)} - {float(rule.threshold)!r}) <= {far!r}, false)"
        + (f" AND {value(rule.unless)} IS NULL" if rule.unless else "")
        for rule, far in zip(rules, reach, strict=True)
    ]
    broken = [f"rules_broken & {1 << bit} <> 0" for bit in range(len(rules))]
    others = " AND ".join(f"(NOT ({hit}) OR ({part}))" for hit, part in zip(broken, close, strict=True))
    kept = " OR ".join(f"({part})" for part in close)
    return f"coalesce(CASE status WHEN 'kept' THEN {kept} WHEN 'rejected' THEN {others} END, false)"
