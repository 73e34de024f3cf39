"""The sample: how many of each stratum, the same for the same seed, and weights that add up."""

import pytest

from curation.audit.corpus import Corpus
from curation.audit.page.sample import draw
from tests.support.audit.segments import segment_table, write_segments

BIT = next(1 << rule["bit"] for rule in segment_table().described_rules() if rule["field"] == "consensus.max_pwer")


def corpus(folder, count, first=0):
    """Utterances of which a third breaks max_pwer, in two languages."""
    rows = []
    for number in range(first, first + count):
        pwer = (number * 37 % 60) / 200
        broken = pwer >= 0.15
        rows.append(
            {
                "id": f"u{number}",
                "recording_id": "r",
                "start": float(number),
                "end": number + 1.0,
                "seconds": 1.0,
                "language": "de" if number % 5 else "en",
                "status": "rejected" if broken else "kept",
                "reason": "consensus.max_pwer" if broken else None,
                "rules_broken": BIT if broken else 0,
                "rules_missing": 0,
                "pwer": pwer,
                "boundary_cut": 0.1,
                "systems": 3.0,
                "words": 5.0,
            }
        )
    write_segments(folder, rows, part=first)
    return folder


def taken(folder, per_reason=20, seed=0):
    corpus = Corpus.open(str(folder))
    strata = draw(corpus, per_reason, seed)
    return strata, [row["key"] for row in corpus.ask("SELECT key FROM picked ORDER BY place")]


def test_weights_add_up_to_the_corpus(tmp_path):
    strata, keys = taken(corpus(tmp_path, 600))
    assert {item.name for item in strata} == {
        f"{reason}/{language}/{side}"
        for reason in ("kept", "consensus.max_pwer")
        for language in ("de", "en")
        for side in ("near", "far")
    }
    assert sum(item.weight * item.taken for item in strata) == pytest.approx(600)
    assert len(keys) == len(set(keys)) == sum(item.taken for item in strata) == 40


def test_the_seed_decides(tmp_path):
    folder = corpus(tmp_path, 600)
    assert taken(folder) == taken(folder)
    assert set(taken(folder)[1]) != set(taken(folder, seed=1)[1])


def test_what_is_added_leaves_most_of_the_sample(tmp_path):
    before = set(taken(corpus(tmp_path, 600))[1])
    after = set(taken(corpus(tmp_path, 60, first=600))[1])
    assert len(before & after) >= 30


def test_a_corpus_smaller_than_the_sample_is_taken_whole(tmp_path):
    strata, keys = taken(corpus(tmp_path, 30), per_reason=500)
    assert sorted(keys) == sorted(f"u{number}" for number in range(30))
    assert all(item.weight == 1 for item in strata)
