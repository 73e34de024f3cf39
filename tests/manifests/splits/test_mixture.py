"""What a corpus is made of: the same whatever parts its ledger has, and all of it."""

from collections import Counter

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.manifests.splits.mixture import BUCKETS, Mixing, Mixture

MINUTE = 60 * 16_000
UTTERANCE = st.tuples(
    st.sampled_from(["train", "dev", None]),
    st.sampled_from(["en", "de", None]),
    st.sampled_from(["gold", None]),
    st.sampled_from(["Ann", "Bob", "r1-S0", "r2-S0"]),
    st.integers(1, 30 * MINUTE),
)


def table(rows):
    split, language, tier, voice, samples = zip(*rows, strict=True) if rows else ([],) * 5
    text = {"split": split, "language": language, "tier": tier, "voice": voice}
    generated = [name if "-" in name else f"r0-{name}" for name in voice]
    columns = {name: pa.array(values, pa.string()) for name, values in {**text, "generated": generated}.items()}
    return pa.table({**columns, "samples": pa.array(samples, pa.int64())})


def bucket(samples):
    return BUCKETS[sum(samples >= edge * MINUTE for edge in (1, 10, 60, 600))]


@given(st.lists(st.lists(UTTERANCE, max_size=8), min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_parts_add_up_to_the_whole(parts):
    mixing, counted = Mixing(), []
    for number, part in enumerate(parts):
        # A recording, and so a generated name, is in one part, and there in one group.
        rows = [(*row[:3], f"p{number}{row[3]}" if "-" in row[3] else row[3], row[4]) for row in part]
        groups = rows[:3], [row for row in rows[3:] if "-" not in row[3]]
        found = Mixture.of(table(groups[0]))
        found.add(Mixture.of(table(groups[1])))
        mixing.add(found)
        counted += [*groups[0], *groups[1]]
    voices, expected, hours = Counter(), Counter(), Counter()
    for *_, voice, samples in counted:
        voices[voice] += samples
    for split, language, tier, voice, samples in counted:
        key = split or "", language or "", tier or "", bucket(voices[voice])
        expected[key] += 1
        hours[key] += samples
    found = mixing.cells()
    keys = [(row["split"], row["language"], row["tier"], row["speaker"]) for row in found]
    assert dict(zip(keys, [row["utterances"] for row in found], strict=True)) == expected
    assert all(abs(row["hours"] * 60 * MINUTE - hours[key]) < 1 for key, row in zip(keys, found, strict=True))
    assert keys == sorted(keys, key=lambda key: (*key[:3], BUCKETS.index(key[3])))
