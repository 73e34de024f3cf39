"""A corpus that grows: what is there stays as it is, and the whole is what one build of all recordings gives."""

import hashlib
import itertools
import json
import random
import shutil
from dataclasses import replace

import pytest

from curation.core.storage import Storage
from curation.manifests.history import chain
from curation.manifests.history.seal import check_seal
from curation.manifests.index import FILE, read_index
from curation.manifests.summary import read_summary
from curation.pipeline.run import build
from tests.support.builds import in_order, table, toy_config, write_recordings
from tests.support.faults.killing import Killed, KillingFileSystem
from tests.support.toy import toy_stages

pytestmark = pytest.mark.usefixtures("small_tasks")

NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta"]
FOLDERS = ("ledger", "segments", "shards")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    return write_recordings(tmp_path_factory.mktemp("in"), NAMES)


def config(max_pwer=0.15):
    base = toy_config(unit_files=2)
    consensus = base.consensus.model_copy(update={"max_pwer": max_pwer})
    shards = base.publish.model_copy(update={"shard_hours": 4 / 3600})
    return base.model_copy(update={"consensus": consensus, "publish": shards})


def add(recordings, names, out, settings=None, **options):
    """Build with recordings of these names."""
    inputs = [f"{recordings}/{name}.wav" for name in names]
    return build(settings or config(), inputs, str(out), make_stages=toy_stages, **options)


@pytest.fixture(scope="module")
def whole(recordings, tmp_path_factory):
    """One build of all recordings."""
    out = tmp_path_factory.mktemp("whole") / "out"
    add(recordings, NAMES, out)
    return out


def files(out):
    """SHA-256 of each published file; every one is the one that the index describes, and no other lies beside them."""
    out = Storage(str(out))
    index = read_index(out)
    assert sorted(out.names("shards")) == sorted(["_index.json", *index.names("shards")])
    assert (out.names("ledger"), out.names("segments")) == (sorted(index.ledger), sorted(index.segments))
    said = {f"shards/{entry.file}": entry.sha256 for entry in index.shards} | index.sha256
    found = {name: hashlib.sha256(out.read_bytes(name)).hexdigest() for name in said}
    assert found == said
    return found


def recordings_of(out, name):
    return set(Storage(str(out)).read_table(name, ["recording_id"])["recording_id"].to_pylist())


def same_corpus(out, other):
    return all(in_order(out, folder).equals(in_order(other, folder)) for folder in FOLDERS)


def accounted(summary):
    """What does not depend on grouping or time."""
    return replace(
        summary, shards=0, timing=None, lines=[(line.status, line.reason, line.count) for line in summary.lines]
    )


def test_what_is_there_keeps_its_names_and_bytes(recordings, whole, tmp_path):
    out = tmp_path / "out"
    add(recordings, NAMES[:4], out)
    before = files(out)
    summary = add(recordings, NAMES[4:], out)
    after = files(out)
    assert before.items() < after.items()
    assert all("-v2" in name for name in after.keys() - before.keys())
    assert same_corpus(out, whole)
    assert accounted(summary) == accounted(read_summary(Storage(str(whole))))
    assert read_summary(Storage(str(out))) == summary


@pytest.mark.parametrize("seed", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_corpus_that_grew_in_any_steps_is_that_of_one_build(recordings, whole, tmp_path, seed):
    chance = random.Random(seed)  # noqa: S311 - no secret
    names = chance.sample(NAMES, len(NAMES))
    cuts = [0, *sorted(chance.sample(range(1, len(NAMES)), 3)), len(NAMES)]
    out, before = tmp_path / "out", {}
    for start, end in itertools.pairwise(cuts):
        summary = add(recordings, names[start:end], out)
        after = files(out)
        assert before.items() <= after.items()
        before = after
    assert same_corpus(out, whole)
    assert accounted(summary) == accounted(read_summary(Storage(str(whole))))
    assert [item.kind for item in read_index(Storage(str(out))).generations] == ["build", *["append"] * 3]


def test_no_more_is_written_than_what_is_new_and_the_index(recordings):
    out = Storage("killing:///grown")
    KillingFileSystem.store.clear()
    add(recordings, NAMES[:6], out.root)
    start = dict(KillingFileSystem.store)
    KillingFileSystem.arm(None)
    add(recordings, NAMES[6:], out.root)
    folders = tuple(f"{out.root}/{folder}/" for folder in (*FOLDERS, "generations"))
    steps = {step for step in KillingFileSystem.steps if step.startswith(folders)}
    new = {name: file.getvalue() for name, file in KillingFileSystem.store.items() if name in steps}
    assert {*new} & {*start} == {f"{out.root}/{FILE}"}
    rest = sum(len(found) for name, found in new.items() if not name.endswith(".parquet"))
    assert rest < 2.5 * len(new[f"{out.root}/{FILE}"])  # with its copy, and the times of the label pass


def test_nothing_new_changes_nothing(recordings, tmp_path):
    out = tmp_path / "out"
    summary = add(recordings, NAMES[:3], out)
    before = files(out)
    assert accounted(add(recordings, NAMES[:3], out)) == accounted(summary)
    assert accounted(build(config(), [], str(out), make_stages=toy_stages)) == accounted(summary)
    assert files(out) == before
    assert len(read_index(Storage(str(out))).generations) == 1


def test_other_settings_or_a_lost_file_make_all_files_anew(recordings, tmp_path):
    out = tmp_path / "out"
    add(recordings, NAMES[:3], out)
    first = files(out)
    add(recordings, NAMES[3:5], out, config(0.1))
    second = files(out)
    assert not first.keys() & second.keys()
    lost = next(name for name in second if name.startswith("ledger"))
    (out / lost).unlink()
    summary = build(config(0.1), [], str(out), make_stages=toy_stages)
    assert not second.keys() & files(out).keys()
    assert accounted(summary) == accounted(add(recordings, NAMES[:5], tmp_path / "whole", config(0.1)))
    assert [item.kind for item in read_index(Storage(str(out))).generations] == ["build"] * 3


def test_a_compacted_corpus_has_the_files_of_one_build(recordings, whole, tmp_path):
    out = tmp_path / "out"
    add(recordings, NAMES[:4], out)
    add(recordings, NAMES[4:], out)
    before = files(out)
    summary = build(config(), [], str(out), make_stages=toy_stages, compact=True)
    assert not before.keys() & files(out).keys()
    assert summary.shards == len(read_index(Storage(str(whole))).shards)
    for folder in ("ledger", "shards"):
        assert table(out, folder).equals(table(whole, folder))


def test_a_recording_that_changed_is_taken_out_of_the_files_that_have_it(recordings, tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    shutil.copytree(recordings, source)
    add(source, NAMES[:6], out)
    before = files(out)
    concerned = {name for name in before if any("beta" in one for one in recordings_of(out, name))}
    write_recordings(source, ["beta"], seconds=5)
    summary = add(source, NAMES, out)
    after = files(out)
    assert before.keys() - after.keys() == concerned
    assert {name for name in after if "-v1.2" in name} <= {
        name.replace(".parquet", "-v1.2.parquet") for name in concerned
    }
    whole = add(source, NAMES, tmp_path / "whole")
    assert same_corpus(out, tmp_path / "whole")
    assert accounted(summary) == replace(accounted(whole), errors=summary.errors)  # those count what was labelled


def test_labels_that_are_made_again_are_published_again(recordings, tmp_path):
    """Whoever removes a staging file has its batch labelled again."""
    out = tmp_path / "out"
    add(recordings, NAMES[:3], out)
    before = files(out)
    next((out / "staging").iterdir()).unlink()
    build(config(), [], str(out), make_stages=toy_stages)
    assert not before.keys() & files(out).keys()


def test_the_indexes_are_a_chain(recordings, tmp_path):
    out = tmp_path / "out"
    for names in (NAMES[:2], NAMES[2:4], NAMES[4:]):
        add(recordings, names, out)
    index = read_index(Storage(str(out)))
    copies = [(out / chain.file_name(item.number)).read_bytes() for item in index.generations]
    assert [json.loads(one)["rows"] for one in copies] == [item.rows for item in index.generations]
    hashes = ["", *(hashlib.sha256(one).hexdigest() for one in copies)]
    assert [item.before for item in index.generations] == hashes[:-1]
    assert copies[-1] == (out / FILE).read_bytes()
    for one in copies:
        check_seal(one, "")


@pytest.mark.parametrize("every", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_anywhere_an_append_leaves_the_old_or_the_new_corpus(recordings, every):
    out = Storage("killing:///append")
    KillingFileSystem.store.clear()
    add(recordings, NAMES[:4], out.root)
    start, old = dict(KillingFileSystem.store), files(out.root)
    KillingFileSystem.arm(None)
    wanted = add(recordings, NAMES[4:], out.root)
    steps, new = len(KillingFileSystem.steps), files(out.root)
    seen = []
    for fatal in sorted({*range(0, steps, every), steps - 1}):
        KillingFileSystem.store.clear()
        KillingFileSystem.store.update(start)
        KillingFileSystem.arm(fatal)
        with pytest.raises(Killed):
            add(recordings, NAMES[4:], out.root)
        generations = read_index(out).generations
        seen.append(len(generations))
        named = {f"shards/{entry.file}": entry.sha256 for entry in read_index(out).shards} | read_index(out).sha256
        assert named == (old if seen[-1] == 1 else new)
        KillingFileSystem.arm(None)
        summary = add(recordings, NAMES[4:], out.root, force_unlock=True)
        assert files(out.root) == new
        assert accounted(summary) == accounted(wanted)
        assert summary.timing.label.stages.keys() == wanted.timing.label.stages.keys()
        assert out.names("publish") == out.names("judged") == []
        assert len(out.names("generations")) == 3
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}


@pytest.mark.parametrize("every", [14, pytest.param(3, marks=pytest.mark.slow)])
def test_a_killed_pass_with_other_settings_leaves_nothing_beside_the_corpus_that_stays(recordings, every):
    """Published again with its own settings, the corpus has nothing to do but to clear up."""
    out = Storage("killing:///back")
    KillingFileSystem.store.clear()
    add(recordings, NAMES[:3], out.root)
    start, old = dict(KillingFileSystem.store), files(out.root)
    KillingFileSystem.arm(None)
    add(recordings, NAMES[:3], out.root, config(0.5))
    steps = len(KillingFileSystem.steps)
    for fatal in range(0, steps, every):
        KillingFileSystem.store.clear()
        KillingFileSystem.store.update(start)
        KillingFileSystem.arm(fatal)
        with pytest.raises(Killed):
            add(recordings, NAMES[:3], out.root, config(0.5))
        KillingFileSystem.arm(None)
        add(recordings, NAMES[:3], out.root, force_unlock=True)
        number = read_index(out).edition
        assert number > 1 or files(out.root) == old
        assert out.names("publish") == out.names("judged") == []
        assert len(out.names("generations")) == 1 + len(read_index(out).generations)
        files(out.root)
