"""What is used of a corpus: never what is held out, the tiers asked for, and languages as often as they should be."""

from collections import Counter

import pytest

from curation.core.errors import DataError
from curation.train.data.batch import TASKS
from curation.train.data.blocks import Blocks
from curation.train.data.choice import Choice
from curation.train.data.config import DataConfig
from curation.train.data.corpus import open_corpus, vocabulary_for
from curation.train.data.loader import PackedLoader
from tests.support.synthetic import grown, utterance, vocabulary, write_shards

SPLITS = ["train", "train", "dev", "train", "test"]
TIERS = ["gold", "silver", None]
SPLIT = {"dev": 0.2, "test": 0.2, "by": [], "salt": 0}
CHOSEN = {"split": SPLIT, "tiers": ["gold", "silver"]}


def row(number):
    return {
        **utterance(number),
        "split": SPLITS[number % 5] if number < 80 else "train",
        "tier": TIERS[number % 3],
        "language": "de" if number % 10 == 0 else "en",
        "text": "held out" if number < 80 and SPLITS[number % 5] != "train" else "one two",
    }


ROWS = [row(number) for number in range(120)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("chosen"), ROWS, **CHOSEN)


def used(corpus, epochs=1, **options):
    """How often each utterance is a target of ASR."""
    config = DataConfig(**{"epochs": epochs, "prefetch": 0, "block_rows": 16, **options})
    loader = PackedLoader(open_corpus(corpus), vocabulary(), config)
    keys = [key for batch in loader for key in batch.keys]
    return Counter(key.split()[1] for key in keys if key.startswith("asr"))


@pytest.mark.parametrize("split", ["train", "dev", "test", "all"])
@pytest.mark.parametrize("tiers", [[], ["gold"], ["gold", "silver"]])
def test_only_what_is_chosen_is_used_and_all_of_it(corpus, split, tiers):
    wanted = [one["id"] for one in ROWS if split in {"all", one["split"]} and (not tiers or one["tier"] in tiers)]
    assert used(corpus, split=split, tiers=tiers) == Counter(wanted)


def test_references_and_sources_are_of_the_same_split(corpus):
    config = DataConfig(epochs=1, prefetch=0)
    held = {one["id"] for one in ROWS if one["split"] != "train"}
    keys = [key for batch in PackedLoader(open_corpus(corpus), vocabulary(), config) for key in batch.keys]
    assert not held & {word for key in keys for word in key.split()}


def test_a_corpus_without_splits_is_train(tmp_path):
    whole = write_shards(tmp_path, [utterance(number) for number in range(20)])
    assert set(used(whole).values()) == {1}
    assert len(used(whole, split="all")) == 20
    assert Choice.of(open_corpus(whole), DataConfig()).identity == {}
    with pytest.raises(DataError, match=r"data.split: .* has no splits: `curation split` makes them"):
        used(whole, split="dev")
    with pytest.raises(DataError, match=r"data.tiers: .* has no tier 'gold'; it has none"):
        used(whole, tiers=["gold"])


def test_shards_of_a_version_that_counted_no_portions_are_used(tmp_path):
    corpus = write_shards(tmp_path, [utterance(number) for number in range(20)])
    assert len(used(grown(corpus, [utterance(number) for number in range(20, 30)]))) == 30


def test_what_nothing_is_of_says_so(tmp_path):
    train = write_shards(tmp_path, [row(number) for number in range(90, 110)], split=SPLIT, tiers=["gold", "best"])
    with pytest.raises(DataError, match="no utterances of split dev"):
        used(train, split="dev")
    with pytest.raises(DataError, match="no utterances of split train and best"):
        used(train, tiers=["best"])


def test_shards_without_any_of_it_are_not_read(corpus):
    opened = open_corpus(corpus)
    dev = Choice.of(opened, DataConfig(split="dev")).slices
    assert {one.file for one in dev} == {entry.file for entry in opened.index.shards[:8]}
    assert Choice.of(opened, DataConfig(split="all")).slices == opened.slices


@pytest.mark.parametrize(("temperature", "balance", "split"), [(3.0, "language", "train"), (1000.0, "tier", "all")])
def test_shares_follow_the_temperature_and_an_epoch_stays_as_long(tmp_path, temperature, balance, split):
    corpus, epochs = write_shards(tmp_path, ROWS, shard_rows=60, group_rows=60, **CHOSEN), 20
    config = DataConfig(block_rows=120, temperature=temperature, balance=balance, split=split)
    blocks = Blocks(open_corpus(corpus), vocabulary(), config, "pretrain")
    seconds, of = {one["id"]: one["seconds"] for one in ROWS}, {one["id"]: one[balance] for one in ROWS}
    hours, got = Counter(), Counter()
    for one in ROWS:
        hours[one[balance]] += one["seconds"] * (split in {"all", one["split"]})
    for block in map(blocks.read, range(epochs * blocks.per_epoch)):
        for target in block.drafts.target[block.drafts.task == TASKS.index("asr")]:
            one = block.utterances.ids[target]
            got[of[one]] += seconds[one] / epochs
    flat = {value: length ** (1 / temperature) for value, length in hours.items()}
    total = sum(hours.values())
    for value, share in flat.items():
        assert got[value] == pytest.approx(total * share / sum(flat.values()), rel=0.03)
    assert sum(got.values()) == pytest.approx(total, rel=0.03)


def test_a_temperature_near_zero_leaves_the_largest(corpus):
    """Powers of hours themselves would overflow."""
    rates = Choice.of(open_corpus(corpus), DataConfig(temperature=0.001, split="all")).rates
    hours = Counter()
    for one in ROWS:
        hours[one["language"]] += one["seconds"]
    assert rates == {"de": 0.0, "en": pytest.approx(sum(hours.values()) / hours["en"])}


def test_resuming_is_exact_with_splits_tiers_and_weights(corpus):
    config = DataConfig(epochs=2, prefetch=0, block_rows=16, tiers=["gold", "silver"], temperature=3.0)
    whole = [batch.keys for batch in PackedLoader(open_corpus(corpus), vocabulary(), config)]
    first = PackedLoader(open_corpus(corpus), vocabulary(), config)
    rows = iter(first)
    begun = [next(rows).keys for _ in range(len(whole) // 3)]
    second = PackedLoader(open_corpus(corpus), vocabulary(), config)
    second.load_state_dict(PackedLoader.merge_states([first.state_dict()]))
    assert begun + [batch.keys for batch in second] == whole
    other = PackedLoader(open_corpus(corpus), vocabulary(), config.model_copy(update={"split": "all"}))
    with pytest.raises(DataError, match="split was 'train' and is None"):
        other.load_state_dict(PackedLoader.merge_states([first.state_dict()]))


def test_a_vocabulary_learns_nothing_from_what_is_held_out(corpus, tmp_path):
    without = write_shards(tmp_path, [{**one, "text": "one two"} for one in ROWS])
    same = vocabulary_for(open_corpus(without), 280)
    assert vocabulary_for(open_corpus(corpus), 280).fingerprint == same.fingerprint
