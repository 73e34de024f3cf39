"""Which segments the page shows: a stratified sample in which each stands for a known number of others.

Strata are those of `curation sample`: reason x language x near or far from the threshold. Within one, segments are
taken in the order of a hash of seed and id: random, and of a corpus that has grown most are taken again.
"""

from dataclasses import dataclass, replace

from curation.audit.corpus import KEY, Corpus
from curation.audit.sample import RANDOM, allocated, most_random, near

MAX_ROWS = 50_000
_COLUMNS = "stratum INT, why VARCHAR, spoken VARCHAR, near BOOL, take INT, most DOUBLE"


@dataclass(frozen=True, slots=True)
class Stratum:
    """Segments that are sampled alike."""

    reason: str
    """As the ledger has it; the status, where that says it all."""
    language: str
    near: bool
    count: int
    taken: int = 0

    @property
    def name(self) -> str:
        """As marks name it."""
        return f"{self.reason}/{self.language}/{'near' if self.near else 'far'}"

    @property
    def weight(self) -> float:
        """For how many segments each of the sample stands."""
        return self.count / self.taken


def draw(corpus: Corpus, per_reason: int, seed: int) -> list[Stratum]:
    """Put the sample into the table `picked` (key, stratum, place: the number in random order); its strata."""
    chosen = (
        f"coalesce(reason, status) AS why, coalesce(language, '') AS spoken, {near(corpus.rules, corpus.value)} AS near"
    )
    found = corpus.database.execute(f"SELECT {chosen}, count(*) FROM segments GROUP BY ALL ORDER BY ALL").fetchall()
    strata = [Stratum(*row) for row in found]
    shares = _shares(strata, per_reason)
    corpus.database.execute(f"CREATE OR REPLACE TEMP TABLE strata ({_COLUMNS})")
    for number, (item, take) in enumerate(zip(strata, shares, strict=True)):
        row = (number, item.reason, item.language, item.near, take, most_random(take, item.count))
        corpus.database.execute("INSERT INTO strata VALUES (?, ?, ?, ?, ?, ?)", row)
    corpus.database.execute(
        f"CREATE OR REPLACE TEMP TABLE picked AS WITH numbered AS "
        f"(SELECT {KEY} AS key, {RANDOM} AS random, {chosen} FROM segments) "
        "SELECT key, stratum, row_number() OVER (ORDER BY random, key) - 1 AS place FROM "
        "(SELECT key, stratum, take, random FROM numbered JOIN strata USING (why, spoken, near) "
        "WHERE random <= most "
        "QUALIFY row_number() OVER (PARTITION BY stratum ORDER BY random, key) <= take)",
        {"seed": str(seed)},
    )
    taken = dict(corpus.database.execute("SELECT stratum, count(*) FROM picked GROUP BY 1").fetchall())
    return [replace(item, taken=taken.get(number, 0)) for number, item in enumerate(strata)]


def _shares(strata: list[Stratum], per_reason: int) -> list[int]:
    """How many to take of each stratum; those of a reason share its number."""
    reasons = {item.reason for item in strata}
    most = min(per_reason, MAX_ROWS // max(1, len(reasons)))
    found: dict[str, int] = {}
    for reason in reasons:
        found |= allocated({item.name: item.count for item in strata if item.reason == reason}, most)
    return [found[item.name] for item in strata]
