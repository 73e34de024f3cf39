"""A sample that stands for the corpus: by strata with weights, drawn again as it was."""

import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.audit.corpus import Corpus, locked
from curation.audit.sample import Filter, allocated, sample
from curation.core.errors import ConfigError
from curation.manifests.index import ShardIndex
from curation.manifests.schemas import SHARD_HYPOTHESIS
from curation.manifests.verdicts import Rule
from tests.support.texts.characters import ANY

RULE = Rule("consensus.max_pwer", "pwer", ">=", 0.15)


def corpus_of(size):
    """So many segments; every third is rejected, and half of these narrowly."""
    pwer = [[0.0, 0.14, 0.16, 0.05, 0.02, 0.9][number % 6] for number in range(size)]
    rejected = [value >= 0.15 for value in pwer]
    columns = {
        "id": [f"u{number:06d}" for number in range(size)],
        "recording_id": ["r"] * size,
        "path": ["r.wav"] * size,
        "start": [float(number) for number in range(size)],
        "end": [number + 1.0 for number in range(size)],
        "seconds": [1.0] * size,
        "speaker": ["S0"] * size,
        "language": ["de" if number % 7 == 0 else "en" for number in range(size)],
        "status": ["rejected" if hit else "kept" for hit in rejected],
        "reason": [RULE.field if hit else None for hit in rejected],
        "value": pwer,
        "threshold": [RULE.threshold] * size,
        "rules_broken": pa.array([int(hit) for hit in rejected], pa.uint32()),
        "rules_missing": pa.array([0] * size, pa.uint32()),
        "text": ["said"] * size,
        "hypotheses": pa.nulls(size, pa.list_(SHARD_HYPOTHESIS)),
        "outlier": pa.nulls(size, pa.string()),
        "pwer": pwer,
    }
    index = ShardIndex([], rules=[{"bit": 0, **{name: getattr(RULE, name) for name in RULE.__slots__}}])
    tables = {"segments": ds.dataset(pa.table(columns))}
    return Corpus("corpus", index, {"pwer": "pwer"}, tables, locked(tables))


def test_weights_add_up_to_the_corpus_and_to_each_stratum():
    corpus = corpus_of(600)
    found = sample(corpus, Filter(), 60)
    assert len(found) == 60
    assert sum(row["weight"] for row in found) == pytest.approx(600)
    assert sum(row["weight"] for row in found if row["status"] == "rejected") == pytest.approx(200)
    strata = {row["stratum"] for row in found}
    assert strata == {
        f"{why}/{language}/{distance}"
        for why in ("kept", "consensus.max_pwer")
        for language in ("de", "en")
        for distance in ("near", "far")
    }
    assert {row["pwer"] for row in found if row["stratum"].endswith("en/near")} == {0.14, 0.16}
    assert sum({row["stratum"]: row["size"] for row in found}.values()) == 600


def test_a_sample_is_drawn_again_as_it_was_and_mostly_kept_when_the_corpus_grows():
    ids = [row["id"] for row in sample(corpus_of(600), Filter(), 60)]
    assert ids == [row["id"] for row in sample(corpus_of(600), Filter(), 60)]
    assert len({*ids} - {row["id"] for row in sample(corpus_of(600), Filter(), 60, seed=1)}) > 30
    grown = {row["id"] for row in sample(corpus_of(660), Filter(), 60)}
    assert len(grown & {*ids}) >= 45


def test_only_what_is_asked_for():
    corpus = corpus_of(60)
    found = sample(corpus, Filter(reason=RULE.field, language="de"), 20)
    assert {(row["reason"], row["language"]) for row in found} == {(RULE.field, "de")}
    assert [row["weight"] for row in found] == [1.0] * len(found)
    with pytest.raises(ConfigError, match="no segment with language 'fr'"):
        sample(corpus, Filter(language="fr"), 20)


def test_the_largest_disagreement_first_is_no_random_sample():
    found = sample(corpus_of(60), Filter(), 15, sort="disagreement")
    assert [row["pwer"] for row in found] == [0.9] * 10 + [0.16] * 5
    assert {row["weight"] for row in found} == {None}


@given(st.dictionaries(st.text(ANY, max_size=3), st.integers(1, 50), min_size=1, max_size=9), st.integers(1, 60))
def test_strata_share_equally_as_far_as_they_have_as_many(sizes, count):
    shares = allocated(sizes, count)
    assert sum(shares.values()) == min(count, sum(sizes[name] for name in sizes if shares[name] or count >= len(sizes)))
    assert all(shares[name] <= sizes[name] for name in sizes)
    full = [shares[name] for name in sizes if shares[name] < sizes[name]]
    if count >= len(sizes) and full:
        assert max(full) - min(full) <= 1
        assert all(shares[name] <= max(full) for name in sizes)
