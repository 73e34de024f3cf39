"""Which generations of a corpus can still be read, and how they are named."""

import pytest

from curation.core.errors import DataError
from curation.core.storage import Storage
from curation.manifests.history import chain
from curation.manifests.index import FILE, Generation, ShardEntry, ShardIndex


def entry(number):
    return ShardEntry(f"part-0000{number}.parquet", number, "a" * 64)


@pytest.fixture
def corpus(tmp_path):
    """Four generations: the second was rewritten by the third, and the fourth added a shard."""
    out = Storage(str(tmp_path / "corpus"))
    kinds = [("build", True), ("append", False), ("compact", True), ("append", False)]
    steps = []
    for number, (kind, rewrites) in enumerate(kinds, start=1):
        steps.append(Generation(number, kind, rewrites=rewrites))
        new = ShardIndex([entry(number)], edition=number, generations=[*steps])
        out.write_json(chain.file_name(number), new.to_json())
        out.write_json(FILE, new.to_json())
    return out.root


@pytest.mark.parametrize("inside", ["", "/", "/shards"])
def test_a_generation_is_named_after_the_folder_of_the_build_or_of_the_shards(corpus, inside):
    assert chain.locate(corpus + inside).index.edition == 4
    for number in (3, 4):
        found = chain.locate(f"{corpus}{inside}@{number}")
        assert found.index.shards == [entry(number)]
        assert found.folder == ("" if inside == "/shards" else "shards")


@pytest.mark.parametrize(("number", "why"), [(2, "gone since generation 3"), (1, "gone since"), (5, "there is none")])
def test_one_that_cannot_be_read_is_refused_with_those_that_can(corpus, number, why):
    with pytest.raises(DataError, match=rf"generation {number} cannot be read, .*{why}.*: take 4 or 3"):
        chain.locate(f"{corpus}@{number}")


def test_a_copy_of_the_shards_alone_has_the_latest_one_only(corpus):
    Storage(corpus).remove(chain.file_name(3))
    assert chain.locate(f"{corpus}/shards@4").index.edition == 4
    with pytest.raises(DataError, match=r"generations/000003\.json is missing: copy it"):
        chain.locate(f"{corpus}/shards@3")


def test_a_folder_may_have_the_name_of_a_generation(corpus, tmp_path):
    other = Storage(str(tmp_path / "corpus@3"))
    other.write_json(FILE, ShardIndex([entry(9)], edition=9).to_json())
    assert chain.locate(f"{corpus}@3").index.edition == 9


@pytest.mark.parametrize("name", ["nothing", "nothing@1"])
def test_where_there_is_no_corpus_the_folder_is_named(tmp_path, name):
    with pytest.raises(DataError, match=rf"{name}: no shards/_index\.json or _index\.json"):
        chain.locate(str(tmp_path / name))


@pytest.mark.parametrize(("name", "parsed"), [("000012.json", (12, "")), ("000012-labelling.json", (12, "-labelling"))])
def test_files_are_known_by_their_names(name, parsed):
    assert chain.parsed(name) == parsed
    assert chain.file_name(*parsed) == f"generations/{name}"
    assert chain.parsed("notes.txt") == (0, "")
