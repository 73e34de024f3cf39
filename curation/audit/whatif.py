"""The hours that a build would keep with other thresholds, to the sample, without publishing it.

    found = what_if("corpus", ["consensus.max_pwer=0.10"])

Speakers do not matter for what is kept. Whether a tokenizer can encode what would be kept anew is not known before it
tries; here it can.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.audio.wave import SAMPLE_RATE
from curation.audit.corpus import SAMPLES, Corpus, publish_again
from curation.audit.judging import outcome, verdict
from curation.core.errors import ConfigError
from curation.core.settings import extra_of, override
from curation.core.storage import Storage
from curation.manifests.ledger import NON_SPEECH
from curation.manifests.segments.table import SegmentTable
from curation.manifests.verdicts import Rule
from curation.pipeline.assemble import declared_scores
from curation.pipeline.config import BuildConfig, validate
from curation.pipeline.provenance import read_config
from curation.pipeline.rules import rules_of

Tally = Counter[tuple[str, str, str]]
"""Samples by status, reason and language; empty texts for none."""


@dataclass(frozen=True)
class WhatIf:
    """What a build keeps, and what it would keep."""

    before: Tally
    after: Tally
    counts: Tally
    """Intervals, after."""

    def kept(self, language: str | None = None) -> tuple[float, float]:
        """Kept seconds before and after, of one language or of all."""
        return _seconds(self.before, "kept", language), _seconds(self.after, "kept", language)

    def to_json(self) -> dict[str, Any]:
        """Plain values: seconds by reason and by language."""
        before, after = self.kept()
        return {
            "kept_seconds": {"before": before, "after": after},
            "verdicts": [
                {"status": status, "reason": reason, **_both(self, (status, reason))}
                for status, reason in sorted({key[:2] for key in (*self.before, *self.after)}, key=_order)
            ],
            "languages": [
                {
                    "language": language or None,
                    "kept_before": self.kept(language)[0],
                    "kept_after": self.kept(language)[1],
                }
                for language in sorted({key[2] for key in (*self.before, *self.after) if key[0] != NON_SPEECH})
            ],
        }


def what_if(root: str, overrides: Sequence[str]) -> WhatIf:
    """Judge the segments of a corpus by its thresholds with these changes (`consensus.max_pwer=0.10`).

    Raises ConfigError for a setting that is no threshold, or a score that the corpus does not have.
    """
    corpus = Corpus.open(root)
    rules = changed_rules(read_config(Storage(root)), overrides)
    _check_columns(corpus, rules)
    tried = outcome(rules, corpus.value)
    before, after, counts = Tally(), Tally(), Tally()
    rows = corpus.ask(
        f"SELECT status, reason, language, marked, {tried.sql} AS code, count(*) AS count, "
        f"CAST(sum({SAMPLES}) AS BIGINT) AS samples FROM segments GROUP BY ALL",
        tried.parameters,
    )
    for row in rows:
        language = row["language"] or ""
        before[row["status"], row["reason"] or "", language] += row["samples"]
        key = (*verdict(row["code"], rules, corpus.rules, row), language)
        after[key] += row["samples"]
        counts[key] += row["count"]
    return WhatIf(before, after, counts)


def _check_columns(corpus: Corpus, rules: Sequence[Rule]) -> None:
    """Raise ConfigError where a score that a rule tries would have a column now, and has none in this corpus: it was
    measured perhaps, and nothing in these files says so.
    """
    columns = {score.name: column for column, score in SegmentTable(declared_scores(), rules).by_column.items()}
    for rule in rules:
        column = columns.get(rule.score)
        if column and column not in corpus.tables["segments"].schema.names:
            msg = (
                f"{corpus.root} was published by an older version, without the column {column}, which {rule.field} "
                f"needs: {publish_again(corpus.root)}"
            )
            raise ConfigError(msg)


def changed_rules(config: BuildConfig, overrides: Sequence[str]) -> list[Rule]:
    """The rules of a configuration with changes of thresholds. Raises ConfigError for any other change."""
    changed = validate(override(config.model_dump(mode="json"), overrides), "--set")
    for name in type(changed).model_fields:
        old, new = getattr(config, name), getattr(changed, name)
        if old == new:
            continue
        fields = type(new).model_fields if new is not None else {}
        other = [key for key in fields if getattr(old, key, None) != getattr(new, key)]
        wrong = [key for key in other if "rule" not in extra_of(fields[key])] if old is not None else other
        if wrong or not other:
            what = f"{name}.{wrong[0]}" if wrong else name
            msg = f"{what} is no threshold: only thresholds can be tried, see `curation whatif --help`"
            raise ConfigError(msg)
    return rules_of(changed)


def _both(found: WhatIf, chosen: tuple[str, ...]) -> dict[str, float]:
    return {
        when: sum(samples for key, samples in tally.items() if key[:2] == chosen) / SAMPLE_RATE
        for when, tally in (("before", found.before), ("after", found.after))
    }


def _seconds(tally: Tally, status: str, language: str | None) -> float:
    return sum(n for key, n in tally.items() if key[0] == status and language in {None, key[2]}) / SAMPLE_RATE


def _order(key: tuple[str, ...]) -> tuple[int, str]:
    return ["kept", "rejected", "failed"].index(key[0]), key[1]
