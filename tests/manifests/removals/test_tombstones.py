"""Tombstones know what was removed, and say to nobody else what it was."""

import pytest

from curation.core.errors import ConfigError, DataError
from curation.core.storage import Storage
from curation.manifests.history.seal import sealed
from curation.manifests.removals import receipts, tombstones
from curation.manifests.removals.tombstones import FILE, KEY, Tombstones

PCM = "ab" * 32


@pytest.fixture
def out(tmp_path):
    out = Storage(str(tmp_path))
    tombstones.make_key(out)
    return out


def test_a_corpus_without_removals_knows_nothing(tmp_path):
    known = Tombstones.read(Storage(str(tmp_path)))
    assert (known.stones, known.of_id("a"), known.of_pcm(PCM)) == ((), None, None)


def test_ids_and_samples_are_known_and_in_no_file(out, tmp_path):
    tombstones.write(out, 4, Tombstones.read(out).made(4, [("talk", [PCM, PCM[::-1]]), ("silent", [])]))
    known = Tombstones.read(out)
    assert (known.of_id("talk"), known.of_id("silent"), known.of_id("other")) == (4, 4, None)
    assert (known.of_pcm(PCM), known.of_pcm(PCM[::-1]), known.of_pcm("talk"), known.of_pcm("")) == (4, 4, None, None)
    assert len(known.stones) == 3
    content = b"".join(path.read_bytes() for path in (tmp_path / "removals").iterdir())
    assert b"talk" not in content
    assert PCM.encode() not in content


def test_another_corpus_has_other_hashes(out, tmp_path):
    other = Storage(str(tmp_path / "other"))
    tombstones.make_key(other)
    one, two = (Tombstones.read(storage).made(1, [("talk", [PCM])]) for storage in (out, other))
    assert not {one[0].id, one[0].pcm} & {two[0].id, two[0].pcm}


def test_writing_again_changes_nothing_and_a_key_is_made_once(out):
    new = Tombstones.read(out).made(2, [("a", [])])
    tombstones.write(out, 1, Tombstones.read(out).made(1, [("z", [])]))
    for _ in range(2):
        tombstones.make_key(out)
        tombstones.write(out, 2, new)
    assert [stone.removal for stone in Tombstones.read(out).stones] == [1, 2]
    assert Tombstones.read(out).of_id("z") == 1


def test_damaged_ones_are_named(out):
    out.write_bytes(FILE, b'{"removal": 1}\n')
    with pytest.raises(DataError, match=r"tombstones\.jsonl is damaged .*restore it from a copy"):
        Tombstones.read(out)


def test_without_their_key_they_would_know_nothing(out):
    tombstones.write(out, 1, Tombstones.read(out).made(1, [("talk", [PCM])]))
    out.remove(KEY)
    with pytest.raises(DataError, match=r"removals/key is missing: restore it from a copy"):
        Tombstones.read(out)


def test_a_receipt_is_read_back_unless_it_was_changed(out):
    state = receipts.State("a" * 64, 3, 1.5)
    receipt = receipts.Receipt(7, "consent", "2026-11-27T12:00:00Z", 1, 16_000, 1, ["h"], state, state, software="1")
    receipts.write_receipt(out, receipt)
    assert receipts.read_receipt(out, 7) == receipt
    assert receipts.numbers(out) == [7]
    out.write_bytes("removals/000007.json", out.read_bytes("removals/000007.json").replace(b"consent", b"licence"))
    with pytest.raises(DataError, match=r"000007\.json was changed"):
        receipts.read_receipt(out, 7)
    out.write_bytes("removals/000007.json", sealed({"number": 7}))
    with pytest.raises(DataError, match=r"000007\.json is no receipt"):
        receipts.read_receipt(out, 7)


def test_an_interrupted_removal_has_to_be_finished(out):
    receipts.check_no_intent(out)
    out.write_json(receipts.INTENT, {})
    with pytest.raises(ConfigError, match="finish it with `curation remove"):
        receipts.check_no_intent(out)
