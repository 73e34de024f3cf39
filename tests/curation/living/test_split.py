"""A corpus that is divided: without leaks, of the sizes asked for, and the same while it grows and shrinks."""

import json
import shutil
from functools import partial

import pyarrow.compute as pc
import pytest

from curation.core.errors import ConfigError, DataError
from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.living.split import settings_for, split
from curation.living.verify import verify
from curation.manifests import plan
from curation.manifests.index import read_index
from curation.manifests.splits.mixture import FILE as MIXTURE
from curation.manifests.summary import read_summary
from curation.pipeline.guard import lock
from curation.pipeline.provenance import read_config, write_config
from curation.pipeline.run import build
from tests.support.builds import table, toy_config, write_recordings
from tests.support.commands import curation, message
from tests.support.toy import toy_stages

SPEAKERS = {f"r{number:02d}": f"speaker-{number // 2}" for number in range(16)}
"""Two recordings of each."""
NEW = {"x0": "speaker-0", "x1": "speaker-8", "x2": ""}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.0)


def manifest(folder, speakers, **columns):
    """A manifest of recordings with speakers; two recordings with one path have an offset each."""
    write_recordings(folder, [name for name in speakers if not columns.get(name)])
    rows = [
        {"path": f"{name}.wav", "id": name, **({"speaker": speaker} if speaker else {}), **columns.get(name, {})}
        for name, speaker in speakers.items()
    ]
    path = folder / f"{'-'.join(speakers)[:20]}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def add(folder, speakers, out, config=None, **columns):
    return build(
        config or toy_config(unit_files=2), [manifest(folder, speakers, **columns)], str(out), make_stages=toy_stages
    )


def amounts_of(amounts):
    return {one.name: one for one in amounts}


def splits_of(out, folder="ledger"):
    """The split of each recording; in every row the same."""
    index = read_index(Storage(str(out)))
    found = {}
    for name in index.names(folder):
        rows = Storage(str(out)).read_table(f"{folder}/{name}", ["recording_id", "split"])
        for one, place in {(row["recording_id"], row["split"]) for row in rows.to_pylist()}:
            assert found.setdefault(one, place) == place
    return found


@pytest.fixture(scope="module")
def divided(tmp_path_factory):
    folder = tmp_path_factory.mktemp("divided")
    config = toy_config(unit_files=2)
    publish = {"tiers": {"gold": ["pwer <= 0.05"], "rest": []}, "shard_hours": 4 / 3600}
    config = config.model_copy(update={"publish": config.publish.model_copy(update=publish)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "UNITS_PER_PART", 1)
        before = add(folder / "in", SPEAKERS, folder / "out", config)
    assert before.splits == []
    summary = split(str(folder / "out"), dev="20%", test="10%")
    return folder, before, summary


def test_a_speaker_is_in_one_split_everywhere(divided):
    folder, _, summary = divided
    found = splits_of(folder / "out")
    assert set(found.values()) == {"train", "dev", "test"}
    assert all(found[f"r{n:02d}"] == found[f"r{n + 1:02d}"] for n in range(0, 16, 2))
    for part in ("segments", "shards"):
        assert splits_of(folder / "out", part).items() <= found.items()
    largest = max_component(folder / "out")
    for name, share in (("dev", 0.2), ("test", 0.1)):
        assert abs(amounts_of(summary.splits)[name].seconds - share * summary.kept_seconds) <= largest


def max_component(out):
    rows = table(out, "shards").group_by("manifest_speaker").aggregate([("seconds", "sum")])
    return pc.max(rows["seconds_sum"]).as_py()


def test_everything_adds_up(divided):
    folder, before, summary = divided
    out = Storage(str(folder / "out"))
    assert summary.splits != []
    assert (summary.kept_seconds, summary.utterances) == (before.kept_seconds, before.utterances)
    for amounts in (summary.splits, summary.tiers):
        assert sum(one.utterances for one in amounts) == summary.utterances
        assert abs(sum(one.seconds for one in amounts) - summary.kept_seconds) < 1e-6
    cells = out.read_json(MIXTURE, "")
    assert sum(cell["utterances"] for cell in cells) == summary.utterances
    assert abs(sum(cell["hours"] for cell in cells) * 3600 - summary.kept_seconds) < 1e-6
    assert read_summary(out) == summary
    assert verify(out) == []
    card = out.read_bytes("README.md").decode()
    assert f"| dev | {amounts_of(summary.splits)['dev'].utterances:,} |" in card
    assert f"| gold | {amounts_of(summary.tiers)['gold'].utterances:,} |" in card


def test_tiers_are_those_of_the_rules(divided):
    folder, _, summary = divided
    assert [one.name for one in summary.tiers] == ["gold", "rest", ""]
    for row in table(folder / "out", "segments").select(["status", "tier", "pwer"]).to_pylist():
        wanted = None if row["status"] != "kept" else "gold" if row["pwer"] <= 0.05 else "rest"
        assert row["tier"] == wanted
    shards = {row["id"]: row["tier"] for row in table(folder / "out", "shards").select(["id", "tier"]).to_pylist()}
    heard = table(folder / "out", "segments").filter(pc.field("status") == "kept").select(["id", "tier"])
    assert shards == {row["id"]: row["tier"] for row in heard.to_pylist()}


def copied(divided, tmp_path):
    shutil.copytree(divided[0] / "out", tmp_path / "out")
    shutil.copytree(divided[0] / "in", tmp_path / "in")
    return tmp_path / "in", tmp_path / "out"


def settings_of(out):
    """Those of the build, as a run would give them that says nothing of splits."""
    config = read_config(Storage(str(out)))
    values = config.publish.model_dump(exclude={"split"})
    return config.model_copy(update={"publish": type(config.publish)(**values)})


def undivided(out):
    """Those of the build, as a run would give them that ends its split."""
    config = settings_of(out)
    ended = type(config.publish)(**{**config.publish.model_dump(), "split": None})
    return config.model_copy(update={"publish": ended})


def test_an_append_moves_nothing_and_keeps_every_byte(divided, tmp_path):
    folder, out = copied(divided, tmp_path)
    before, index = splits_of(out), read_index(Storage(str(out)))
    add(folder, NEW, out, settings_of(out))
    after, grown = splits_of(out), read_index(Storage(str(out)))
    assert before.items() < after.items()
    assert after["x0"] == before["r00"]
    assert {entry.file: entry.sha256 for entry in index.shards}.items() < {
        entry.file: entry.sha256 for entry in grown.shards
    }.items()
    assert index.sha256.items() < grown.sha256.items()
    assert (grown.split, grown.generations[-1].kind) == (index.split, "append")


def test_other_thresholds_and_compacting_leave_splits_alone(divided, tmp_path):
    _, out = copied(divided, tmp_path)
    before = splits_of(out)
    config = settings_of(out)
    changed = config.consensus.model_copy(update={"max_pwer": 0.1})
    build(config.model_copy(update={"consensus": changed}), [], str(out), make_stages=toy_stages)
    assert splits_of(out) == before


@pytest.mark.parametrize("folder", ["shards", "ledger"])
def test_what_is_damaged_is_published_again_as_the_message_says(divided, tmp_path, folder):
    _, out = copied(divided, tmp_path)
    before, storage = splits_of(out), Storage(str(out))
    name = storage.names(folder)[0]  # of the shards, the index
    storage.write_bytes(f"{folder}/{name}", storage.read_bytes(f"{folder}/{name}")[:-9])
    if folder == "ledger":
        again = partial(build, settings_of(out), [], str(out), make_stages=toy_stages)
        for publish in (again, partial(split, str(out), dev="9%"), partial(again, retry_failed=True)):
            with pytest.raises(DataError, match=f"{name} is damaged .* publish the build again with `curation compact"):
                publish()
    build(settings_of(out), [], str(out), make_stages=toy_stages, compact=True)
    assert verify(storage) == []
    assert splits_of(out) == before


def test_a_split_stays_where_its_build_was_killed_before_it_wrote_its_settings(divided, tmp_path, monkeypatch):
    folder, out = copied(divided, tmp_path)
    before, file = splits_of(out), out / "build.yaml"
    build(undivided(out), [], str(out), make_stages=toy_stages)
    old = file.read_bytes()

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("curation.pipeline.publish.write_config", killed)
        with pytest.raises(KeyboardInterrupt):
            split(str(out), dev="20%", test="10%")
    assert file.read_bytes() == old
    summary = add(folder, NEW, out, settings_of(out))
    assert [one.name for one in summary.splits] == ["train", "dev", "test"]
    assert before.items() < splits_of(out).items()


@pytest.mark.parametrize("command", ["split", "compact"])
def test_what_waits_for_another_build_goes_on_with_its_settings(divided, tmp_path, monkeypatch, command):
    _, out = copied(divided, tmp_path)
    config = read_config(Storage(str(out)))
    other = config.model_copy(update={"consensus": config.consensus.model_copy(update={"max_pwer": 0.1})})
    acquire = lock._acquire

    def after_the_other(*arguments, **options):
        write_config(Storage(str(out)), other)
        return acquire(*arguments, **options)

    monkeypatch.setattr(lock, "_acquire", after_the_other)
    curation(command, out, *(["--dev", "4s"] if command == "split" else []))
    assert read_config(Storage(str(out))).consensus == other.consensus


def test_what_joins_two_splits_goes_where_the_strictest_is(divided, tmp_path):
    _, out = copied(divided, tmp_path)
    before, index = splits_of(out), read_index(Storage(str(out)))
    held = next(name for name, place in before.items() if place == "test")
    free = next(name for name, place in before.items() if place == "train")
    # A second part of the file of a recording of train, by a speaker of test.
    link = {"path": f"{free}.wav", "offset": 0.0, "duration": 1.0}
    add(divided[0] / "in", {"link": SPEAKERS[held]}, out, settings_of(out), link=link)
    after, grown = splits_of(out), read_index(Storage(str(out)))
    moved = {name for name in before if after[name] != before[name]}
    assert moved == {name for name in SPEAKERS if SPEAKERS[name] == SPEAKERS[free]}
    assert {after[name] for name in moved} == {after["link"]} == {"test"}
    for part in ("segments", "shards"):
        assert splits_of(out, part).items() <= after.items()
    assert grown.sha256.keys() & index.sha256.keys()  # files that have none of them stay
    assert verify(Storage(str(out))) == []
    summary = read_summary(Storage(str(out)))
    assert sum(one.utterances for one in summary.splits) == summary.utterances


def test_a_removed_link_does_not_free_what_was_held_out(divided, tmp_path):
    folder, out = copied(divided, tmp_path)
    before = splits_of(out)
    held = next(name for name, place in before.items() if place != "train")
    remove(str(out), Wanted(recordings=[held]), "consent")
    assert splits_of(out).items() <= {**before, "removed-3": None}.items() | {
        (name, None) for name in splits_of(out) if name.startswith("removed")
    }
    add(folder, {"again": SPEAKERS[held]}, out, settings_of(out))
    assert splits_of(out)["again"] == before[held]
    assert verify(Storage(str(out))) == []


def test_a_split_can_be_ended(divided, tmp_path):
    _, out = copied(divided, tmp_path)
    summary = build(undivided(out), [], str(out), make_stages=toy_stages)
    assert summary.splits == []
    assert set(splits_of(out).values()) == {None}


def test_the_command(divided, tmp_path):
    _, out = copied(divided, tmp_path)
    found = json.loads(curation("split", out, "--dev", "4s", "--by", "recording", "--json").stdout)
    train, dev, test = found["splits"]
    assert test == {"name": "test", "utterances": 0, "seconds": 0.0}
    assert 0 < dev["seconds"] < 8 < train["seconds"]
    assert "splits: train" in curation("summary", out).stdout
    assert "nothing is held out: give --dev and --test" in message(curation("split", out, code=2))
    assert "--by: there is no 'voice'" in message(curation("split", out, "--dev", "1h", "--by", "voice", code=2))
    assert "--by: there is no ''" in message(curation("split", out, "--dev", "4s", "--by", "", code=2))
    assert "is no size" in message(curation("split", out, "--dev", "5", code=2))


def test_a_build_has_to_be_finished_first(divided, tmp_path):
    """Else a model would run, with the settings of the build before."""
    _, out = copied(divided, tmp_path)
    next((out / "staging").iterdir()).unlink()
    for command in (("split", out, "--dev", "20%"), ("compact", out)):
        assert "recordings are not labelled yet: finish that first, with `curation build" in message(
            curation(*command, code=2)
        )


def test_a_folder_without_a_corpus(tmp_path):
    with pytest.raises(ConfigError, match="holds no build"):
        settings_for(str(tmp_path), dev="5h")
