"""What the loader hands over, and what it refuses."""

import itertools
import json
import threading
from collections import Counter
from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.core.errors import DataError
from curation.tokenize.layouts import decode
from curation.tokenize.vocabulary import make_vocabulary
from curation.train.config import load_training_config
from curation.train.data.batch import IGNORED, TASKS
from curation.train.data.blocks import Blocks
from curation.train.data.config import DataConfig, TaskWeights
from curation.train.data.corpus import open_corpus, vocabulary_for
from curation.train.data.loader import PackedLoader
from curation.train.distributed import World
from curation.train.run import prepare
from tests.support.synthetic import SIZES, tokenizers, utterance, vocabulary, write_shards

VOCABULARY = vocabulary()
ROWS = [utterance(i) for i in range(60)]
BY_ID = {row["id"]: row for row in ROWS}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("corpus"), ROWS)


def samples_of(batch):
    """(task, key, ids, labels, positions) of each sample."""
    ends = np.cumsum(batch.lengths.numpy())
    arrays = (np.split(values.numpy(), ends[:-1]) for values in (batch.ids, batch.labels, batch.positions))
    return list(zip(batch.tasks, batch.keys, *arrays, strict=True))


def epoch_of(corpus, **options):
    loader = PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(epochs=1, prefetch=0, **options))
    return loader, list(loader)


def ids_in(key):
    """The utterances of a key by their part: target, voice, source."""
    words = key.split()
    return {"target": words[1], **dict(zip(words[2::2], words[3::2], strict=True))}


def assert_is(example, task, key):
    """The decoded example has the tokens and texts of the utterances that the key names."""
    named = {part: BY_ID[one] for part, one in ids_in(key).items()}
    target = named["target"]
    if task == "asr":
        assert example.text == target["text"]
        np.testing.assert_array_equal(example.glm, target["glm"])
        np.testing.assert_array_equal(example.semantic, target["semantic"])
        return
    assert named["voice"]["speaker"] == target["speaker"]
    np.testing.assert_array_equal(example.global_, named["voice"]["global"])
    if task == "tts":
        assert example.text == target["text"]
        np.testing.assert_array_equal(example.semantic, target["semantic"])
    else:
        assert named["source"]["text"] == target["text"]
        np.testing.assert_array_equal(example.source, named["source"]["semantic"])
        np.testing.assert_array_equal(example.target, target["semantic"])


@settings(max_examples=settings.default.max_examples // 4)
@given(seed=st.integers(0, 1000), budget=st.integers(90, 400))
def test_rows_hold_whole_samples_of_the_named_utterances(corpus, seed, budget):
    loader, batches = epoch_of(corpus, seed=seed, token_budget=budget)
    for batch in batches:
        assert batch.num_tokens == len(batch.labels) == len(batch.positions) == int(batch.lengths.sum()) <= budget
        for task, key, ids, labels, positions in samples_of(batch):
            assert_is(decode(ids, VOCABULARY), task, key)
            np.testing.assert_array_equal(positions, np.arange(len(ids)))
            assert labels[0] == IGNORED
    assert sum(batch.num_tokens for batch in batches) == loader.counts.tokens


def test_the_loss_covers_the_answer_and_nothing_else(corpus):
    ends = {"asr": "start_content", "tts": "end_content", "vc": "end_content"}
    seen = set()
    for batch in epoch_of(corpus)[1]:
        for task, _, ids, labels, _ in samples_of(batch):
            answer = int(np.flatnonzero(ids == VOCABULARY.markers[ends[task]])[0]) + 1
            assert np.all(labels[:answer] == IGNORED)
            np.testing.assert_array_equal(labels[answer:], ids[answer:])
            assert labels[-1] == VOCABULARY.end
            seen.add(task)
    assert seen == {"asr", "tts", "vc"}


@settings(max_examples=settings.default.max_examples // 2)
@given(seed=st.integers(0, 99), number=st.integers(0, 20))
def test_lengths_of_drafts_are_those_of_the_encoded_samples(corpus, seed, number):
    """Else rows would be packed too full."""
    blocks = Blocks(open_corpus(corpus), VOCABULARY, DataConfig(block_rows=8, seed=seed), "pretrain")
    block = blocks.read(number)
    for row, samples in enumerate(block.rows):
        batch, _ = blocks.batch(block, row)
        assert batch.lengths.tolist() == block.drafts.length[samples].tolist()


def test_tensors_have_the_types_of_the_contract(corpus):
    batch = epoch_of(corpus)[1][0]
    types = [str(t.dtype) for t in (batch.ids, batch.labels, batch.positions, batch.lengths)]
    assert types == ["torch.int64"] * 3 + ["torch.int32"]


@pytest.mark.parametrize("prefetch", [0, 4])
def test_a_row_is_sent_to_its_device_before_it_is_handed_over(corpus, prefetch):
    loader = PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(epochs=1, prefetch=prefetch))
    for batch in loader:
        sent = batch._sent
        assert batch.on(torch.device("cpu")) is sent
        assert torch.equal(sent.ids[0], batch.ids)
        assert torch.equal(sent.positions[0], batch.positions)
        assert torch.equal(batch.ids[sent.before + 1], sent.targets)
        assert [TASKS[task] for task in sent.tasks] == [batch.tasks[sample] for sample in batch.answer_samples]
        assert sent.packing.offsets.tolist() == [0, *batch.lengths.cumsum(0).tolist()]
        assert torch.equal(batch.answer_counts, torch.bincount(sent.tasks, minlength=len(TASKS)))
    assert loader.counts.rows > 1


def test_voices_are_of_another_utterance_and_pairs_are_used(corpus):
    loader, batches = epoch_of(corpus, block_rows=1000)
    keys = [key for batch in batches for key in batch.keys]
    named = [ids_in(key) for key in keys if not key.startswith("asr")]
    assert all(parts["voice"] != parts["target"] for parts in named)
    paired = [parts for parts in named if parts.get("source", parts["target"]) != parts["target"]]
    assert len(paired) == loader.counts.parallel > 30
    assert all(BY_ID[parts["source"]]["speaker"] != BY_ID[parts["target"]]["speaker"] for parts in paired)


def test_over_long_samples_are_left_out_whole_and_counted(corpus):
    everything, _ = epoch_of(corpus)
    loader, batches = epoch_of(corpus, max_sample_tokens=36)
    assert max(int(batch.lengths.max()) for batch in batches) <= 36
    assert loader.counts.over_long.total() > 10
    assert loader.counts.samples + loader.counts.over_long == everything.counts.samples
    assert loader.counts.longest == everything.counts.longest > 36


def test_ranks_together_count_each_over_long_sample_once(corpus):
    one, _ = epoch_of(corpus, max_sample_tokens=36, block_rows=8)
    config = DataConfig(epochs=1, max_sample_tokens=36, block_rows=8)
    loaders = [PackedLoader(open_corpus(corpus), VOCABULARY, config, rank=rank, world=4) for rank in range(4)]
    for loader in loaders:
        list(loader)
    assert sum((loader.counts for loader in loaders[1:]), loaders[0].counts) == one.counts


def test_efficiency_is_the_share_of_the_budget(corpus):
    loader, batches = epoch_of(corpus, token_budget=300)
    assert loader.counts.efficiency == sum(b.num_tokens for b in batches) / (300 * len(batches)) > 0.9
    assert loader.counts.answer_tokens == sum(int((b.labels != IGNORED).sum()) for b in batches)
    assert json.loads(json.dumps(loader.counts.as_dict()))["samples"] == {"asr": 60, "tts": 60, "vc": 60}


def test_nothing_that_fits_is_an_error_and_no_endless_loop(corpus, tmp_path):
    loader = PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(max_sample_tokens=16))
    with pytest.raises(DataError, match=r"no sample .* fits 16 tokens .* raise data.token_budget"):
        next(iter(loader))
    mute, spoken = write_shards(tmp_path, [utterance(0) | {"text": ""}]), DataConfig(pretrain=TaskWeights(vc=0))
    with pytest.raises(DataError, match="no sample at all in phase pretrain: texts are empty"):
        next(iter(PackedLoader(open_corpus(mute), VOCABULARY, spoken)))


def test_a_tiny_corpus_works(tmp_path):
    where = write_shards(tmp_path, [utterance(0)])
    loaders = [PackedLoader(open_corpus(where), VOCABULARY, DataConfig(), rank=rank, world=3) for rank in range(3)]
    assert [[len(batch.keys) for batch in itertools.islice(loader, 4)] for loader in loaders] == [[3] * 4] * 3


def test_an_empty_shard_among_others_and_none_at_all(tmp_path, corpus):
    where = write_shards(tmp_path / "empty", [])
    with pytest.raises(DataError, match="no utterances were kept"):
        PackedLoader(open_corpus(where), VOCABULARY, DataConfig())


def test_shards_of_other_tokenizers_are_refused(corpus):
    with pytest.raises(DataError, match=r"f{64}.*expects a{64}.*tokenize and publish"):
        PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(), tokenizer_fingerprint="a" * 64)
    assert (
        PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(), tokenizer_fingerprint="f" * 64).tokenizers
        == tokenizers()
    )


def test_shards_without_tokens_are_refused(tmp_path):
    where = write_shards(tmp_path, ROWS[:3], tokenizers=None)
    with pytest.raises(DataError, match="no tokens"):
        PackedLoader(open_corpus(where), VOCABULARY, DataConfig())


def test_a_vocabulary_without_all_codes_is_refused(corpus):
    small = make_vocabulary(**(SIZES | {"semantic": 5}))
    with pytest.raises(DataError, match="semantic has 30 codes and the vocabulary 5"):
        PackedLoader(open_corpus(corpus), small, DataConfig())


def test_a_code_beyond_the_codebook_names_the_utterance(tmp_path):
    where = write_shards(tmp_path, [ROWS[0] | {"semantic": [99]}])
    with pytest.raises(DataError, match=r"utt-00000.*semantic codes are within"):
        next(iter(PackedLoader(open_corpus(where), VOCABULARY, DataConfig())))


def test_an_unfinished_build_and_a_changed_shard_are_refused(tmp_path):
    with pytest.raises(DataError, match="finished build"):
        PackedLoader(open_corpus(str(tmp_path)), VOCABULARY, DataConfig())
    where = write_shards(tmp_path, ROWS[:20])
    index = json.loads((tmp_path / "shards/_index.json").read_text())
    index["shards"][0]["rows"] = 9
    (tmp_path / "shards/_index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match="10 rows, the index says 9"):
        list(PackedLoader(open_corpus(where), VOCABULARY, DataConfig(epochs=1)))


def test_a_damaged_shard_is_named_with_the_remedy(tmp_path):
    where = write_shards(tmp_path, ROWS[:5])
    (shard,) = (tmp_path / "shards").glob("*.parquet")
    shard.write_bytes(shard.read_bytes()[:500])
    with pytest.raises(DataError, match=rf"{shard} is damaged .*: copy the shards again, or publish"):
        list(PackedLoader(open_corpus(where), VOCABULARY, DataConfig(epochs=1)))


def test_a_rank_reads_its_own_blocks_only(tmp_path):
    where = write_shards(tmp_path, ROWS, shard_rows=4)
    config = DataConfig(epochs=1, block_rows=8, lanes=4)
    blocks = Blocks(open_corpus(where), VOCABULARY, config, "pretrain")
    needed = {one.file for number in range(1, blocks.per_epoch, 4) for one in blocks.slices(number)}
    for shard in (tmp_path / "shards").glob("*.parquet"):
        if shard.name not in needed:
            shard.unlink()
    assert 0 < len(needed) < 8
    assert len(list(PackedLoader(open_corpus(where), VOCABULARY, config, rank=1, world=4))) > 0
    with pytest.raises(DataError, match=r"\.parquet .*is not there: start again .* copy the shards again"):
        list(PackedLoader(open_corpus(where), VOCABULARY, config, rank=2, world=4))


def test_slices_do_not_need_row_groups_of_their_size(tmp_path, corpus):
    expected = [batch.keys for batch in epoch_of(corpus, block_rows=8)[1]]
    where = write_shards(tmp_path, ROWS, group_rows=3)
    index = json.loads((tmp_path / "shards/_index.json").read_text())
    (tmp_path / "shards/_index.json").write_text(json.dumps(index | {"row_group_rows": 4}))
    assert [batch.keys for batch in epoch_of(where, block_rows=8)[1]] == expected


def background_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith(("prefetch", "blocks"))]


@pytest.mark.parametrize("prefetch", [0, 1, 5])
def test_an_error_comes_after_the_rows_before_it(tmp_path, prefetch):
    where = write_shards(tmp_path, ROWS, shard_rows=4)
    config = DataConfig(token_budget=100, block_rows=8, lanes=1, prefetch=prefetch, epochs=1)
    whole = [batch.keys for batch in PackedLoader(open_corpus(where), VOCABULARY, config)]
    blocks = Blocks(open_corpus(where), VOCABULARY, config, "pretrain")
    for one in blocks.slices(2):
        (tmp_path / "shards" / one.file).unlink(missing_ok=True)
    loader, read = PackedLoader(open_corpus(where), VOCABULARY, config), []
    with pytest.raises(DataError, match="was in the index, but is not there"):
        read.extend(batch.keys for batch in loader)
    assert read == whole[: sum(len(blocks.read(number).rows) for number in (0, 1))] != []
    assert loader.counts.rows == len(read)
    assert not background_threads()


def test_closing_ends_the_threads(corpus):
    rows = iter(PackedLoader(open_corpus(corpus), VOCABULARY, DataConfig(prefetch=3)))
    next(rows)
    assert background_threads()
    rows.close()
    assert not background_threads()


class Counting(MemoryFileSystem):
    """Counts what is asked of each file."""

    protocol = "counting"
    opened: ClassVar[Counter] = Counter()

    @classmethod
    def _strip_protocol(cls, path):
        return super()._strip_protocol(path.removeprefix("counting://"))

    def cat_file(self, path, start=None, end=None, **options):
        if (start, end) != (0, 1):  # whether it is there
            self.opened[path.rpartition("/")[2]] += 1
        return super().cat_file(path, start, end, **options)


def test_a_training_start_opens_the_corpus_once(tmp_path):
    """The index is read once, for the vocabulary, the loader and the check of its tokenizers alike."""
    described = tokenizers()
    for name in ("glm", "bicodec"):
        described[name] |= {"reference": "compact", "fingerprint": name}
    build = write_shards(tmp_path / "build", ROWS, tokenizers=described)
    fsspec.register_implementation("counting", Counting, clobber=True)
    remote = Counting()
    for path in Path(build, "shards").iterdir():
        remote.pipe_file(f"/started/shards/{path.name}", path.read_bytes())
    Counting.opened.clear()
    config = load_training_config(overrides=["data.token_budget=400", "speech.text_size=256", "run.device=cpu"])
    trainer = prepare("counting://started", tmp_path / "run", config, World())
    next(iter(trainer.loader))
    assert Counting.opened["_index.json"] == 1


@pytest.mark.parametrize("prefetch", [0, 2])
def test_not_more_is_read_than_asked_for(tmp_path, prefetch):
    """A row, those in advance, and at most the block after them."""
    build = write_shards(tmp_path / "build", ROWS, shard_rows=4)
    fsspec.register_implementation("counting", Counting, clobber=True)
    remote = Counting()
    for path in Path(build, "shards").iterdir():
        remote.pipe_file(f"/asked{prefetch}/shards/{path.name}", path.read_bytes())
    Counting.opened.clear()
    config = DataConfig(block_rows=8, lanes=1, prefetch=prefetch, token_budget=50)
    rows = iter(PackedLoader(open_corpus(f"counting://asked{prefetch}"), VOCABULARY, config))
    next(rows)
    rows.close()
    assert 0 < sum(count for name, count in Counting.opened.items() if name.endswith(".parquet")) <= 2 * 2


def test_shards_can_be_anywhere(corpus):
    remote = fsspec.filesystem("memory")
    for path in Path(corpus, "shards").iterdir():
        remote.pipe_file(f"/corpus/shards/{path.name}", path.read_bytes())
    expected = [batch.keys for batch in epoch_of(corpus)[1]]
    for where in ("memory://corpus", "memory://corpus/shards", f"{corpus}/shards/"):
        assert [batch.keys for batch in epoch_of(where)[1]] == expected


def test_shards_can_be_on_s3(corpus, s3_bucket):
    remote = fsspec.filesystem("s3")
    for path in Path(corpus, "shards").iterdir():
        remote.pipe_file(f"{s3_bucket}/corpus/shards/{path.name}", path.read_bytes())
    expected = [batch.keys for batch in epoch_of(corpus)[1]]
    assert [batch.keys for batch in epoch_of(f"{s3_bucket}/corpus")[1]] == expected


def test_a_vocabulary_for_a_corpus_has_its_codes_and_words(corpus):
    made = vocabulary_for(open_corpus(corpus), text_size=270)
    assert {name: len(ids) for name, ids in made.streams.items()} == SIZES
    assert made.text.get_vocab_size() == 270
    assert len(made.text_ids(ROWS[0]["text"])) < len(VOCABULARY.text_ids(ROWS[0]["text"]))
    assert made.fingerprint == vocabulary_for(open_corpus(f"{corpus}/shards"), text_size=270).fingerprint
    assert vocabulary_for(open_corpus(corpus), text_size=256).text.get_vocab_size() == 256
