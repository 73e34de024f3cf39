"""How often systems disagree: pairwise WER and the share of outliers, by language."""

from collections.abc import Iterable, Sequence
from typing import Any

from curation.audit.corpus import Corpus
from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import edit_distances
from curation.stages.consensus.vote import common_units
from curation.text.normalize import normalizer_for


def written_units(language: str, texts: Sequence[str | None]) -> list[list[Any]]:
    """The texts of one utterance in the units in which they are compared: (written, what counts of it) of each, or what
    is written alone, where that is the same.
    """
    normalizer = normalizer_for(language)
    found = common_units([normalizer.spans(text or "") for text in texts], normalizer)
    return [[_unit(span.written, normalizer.join.join(span.tokens)) for span in spans] for spans in found]


def _unit(written: str, compared: str) -> Any:
    return written if written == compared else [written, compared]


class Disagreement:
    """Adds up word errors between systems over weighted utterances."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str], list[float]] = {}

    def add(self, language: str, hypotheses: Iterable[Hypothesis], weight: float) -> None:
        """An utterance, which stands for `weight` of them."""
        answered = [item for item in hypotheses if not item.error]
        normalizer = normalizer_for(language)
        texts = common_units([normalizer.spans(item.text) for item in answered], normalizer)
        units = [[token for span in spans for token in span.tokens] for spans in texts]
        distances = edit_distances(units)
        for i, reference in enumerate(answered):
            for j, other in enumerate(answered):
                if i != j:
                    sums = self._sums.setdefault((language, reference.system, other.system), [0.0, 0.0, 0])
                    sums[0] += weight * int(distances[i, j])
                    sums[1] += weight * len(units[i])
                    sums[2] += 1

    def rows(self) -> list[list[Any]]:
        """Language, reference, system, weighted word errors, weighted words of the reference, utterances compared."""
        return [[*key, *sums] for key, sums in sorted(self._sums.items())]


def outliers(corpus: Corpus) -> list[list[Any]]:
    """Language, system, utterances that it heard without an error, and those in which it is the outlier."""
    found = corpus.database.execute(
        "SELECT coalesce(language, ''), heard.system, count(*), count(*) FILTER (outlier = heard.system) FROM "
        "(SELECT language, outlier, unnest(hypotheses) AS heard FROM segments WHERE hypotheses IS NOT NULL) "
        "WHERE coalesce(heard.error, '') = '' GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return [list(row) for row in found]
