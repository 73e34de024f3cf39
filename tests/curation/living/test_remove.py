"""What is removed is nowhere in the folder, stays away, and is accounted for, wherever the removal is killed."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError, DataError
from curation.core.storage import Storage
from curation.core.stores.protocols import file_system
from curation.living import scrub
from curation.living.remove import Wanted, remove
from curation.living.verify import verify
from curation.living.voices import find_voices
from curation.manifests.history.seal import check_seal
from curation.manifests.index import read_index
from curation.manifests.marks import files as marks
from curation.manifests.plan import read_plan
from curation.manifests.removals.receipts import INTENT, read_receipt
from curation.manifests.summary import read_summary
from curation.pipeline.edition import before_labelling
from curation.pipeline.guard import lock
from curation.pipeline.run import build
from tests.support.audit.browser import meta_of
from tests.support.builds import in_order, rows, seconds_by_recording, toy_config, write_recordings
from tests.support.commands import curation
from tests.support.faults.killing import Killed, KillingFileSystem
from tests.support.faults.search import found_in
from tests.support.scripted import noise, scripted_stages, utterance, write_corpus
from tests.support.story import story_config
from tests.support.toy import toy_stages

BAD = {"pwer": 0.5}
LENGTHS = {"amber": 3.125, "birch": 3.25, "cedar": 3.375, "dogwood": 3.5, "elm": 3.625}
"""Seconds: noise of another length is another noise."""
SETTINGS = ("publish.audio=true", "engine.unit_files=2", f"publish.shard_hours={2 / 3600}")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.0)
    yield
    KillingFileSystem.arm(None)


def first_of(recording):
    return f"{recording}-0000008000-0000024000"


def pcm(seconds):
    return (noise(seconds) * 32767).astype(np.int16)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Five recordings of four speakers, in two generations, with tokens, audio, a mark and an audit page."""
    folder = tmp_path_factory.mktemp("corpus")
    said = {"amber": ("Ann", "zanzibar quixotic"), "birch": ("Bob", "plain words"), "cedar": ("Cy", "other words")}
    said |= {"dogwood": ("Ann", "marzipan flotilla"), "elm": ("Dee", "last words")}
    for number, names in enumerate((["amber", "birch", "cedar"], ["dogwood", "elm"])):
        recordings = {
            f"{name}.wav": (
                pcm(LENGTHS[name]),
                16_000,
                {
                    "id": name,
                    "speaker": said[name][0],
                    "note": f"colour of {name}",
                    "segments": [
                        utterance(0.5, 1.5, said[name][1]),
                        utterance(1.5, 2.5, "twice", scores={"pwer": 0.5}),
                    ],
                },
            )
            for name in names
        }
        manifest = write_corpus(folder / f"in{number}", recordings)
        build(story_config(*SETTINGS), [str(manifest)], str(folder / "out"), make_stages=scripted_stages)
    out = Storage(str(folder / "out"))
    marks.add(out, [marks.Mark(first_of(name), "reject", note=f"of {name}") for name in ("amber", "elm")])
    build(story_config(*SETTINGS), [], out.root, make_stages=scripted_stages)
    out.write_bytes("audit/index.html", b"amber: zanzibar quixotic")
    return folder


def needles(out, recording):
    """Everything of a recording that must be nowhere."""
    (speech,) = (row for row in rows(out, "speech") if row["id"].startswith(f"{recording}-") and row["text"] != "twice")
    tokens = [
        row for row in rows(out / "tokens", next(iter((out / "tokens").iterdir())).name) if row["id"] == speech["id"]
    ]
    found = [recording.encode(), f"{recording}.wav".encode(), *(word.encode() for word in speech["text"].split())]
    found += [speech["audio"][200:232], *(np.asarray(row["semantic"], np.int32).tobytes() for row in tokens)]
    (media,) = (row["media"] for row in rows(out, "staging") if row["source"]["id"] == recording)
    return [*found, media["pcm"].encode()]


def test_nothing_is_left_of_a_speaker_and_the_totals_add_up(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    storage = Storage(str(out))
    wanted = [b"Ann", *needles(out, "amber"), *needles(out, "dogwood")]
    assert {needle for _, needle in found_in(out, wanted)} == {*wanted}
    before, others = read_summary(storage), {"birch", "cedar", "elm"}
    lengths, files = seconds_by_recording(out), {path: path.read_bytes() for path in published(out)}
    receipt = remove(str(out), Wanted(speakers=["Ann"]), "consent")
    assert found_in(out, wanted) == set()
    assert (receipt.recordings, receipt.reason, receipt.number) == (2, "consent", read_index(storage).edition)
    assert receipt.samples == round(16_000 * (lengths["amber"] + lengths["dogwood"]))
    after = read_summary(storage)
    assert (after.recordings, after.seconds) == (3, before.seconds)
    assert [(line.reason, line.seconds) for line in after.lines if line.status == "removed"] == [
        ("consent", receipt.samples / 16_000)
    ]
    (row,) = (row for row in rows(out, "ledger") if row["status"] == "removed")
    assert (row["path"], row["speaker"], row["seconds"]) == ("", None, receipt.samples / 16_000)
    assert {row["recording_id"] for row in rows(out, "shards")} == others
    assert verify(storage) == []
    kept = {path for path in files if path.exists() and path.read_bytes() == files[path]}
    assert {path.relative_to(out).as_posix() for path in files.keys() - kept} == {
        change.was for change in receipt.files if change.was.split("/")[0] in {"shards", "ledger", "segments"}
    }
    for change in receipt.files:
        assert change.was_sha256 != change.now_sha256
    for again in (Wanted(speakers=["Ann"]), Wanted(["amber", str(corpus / "in1/dogwood.wav")])):
        assert remove(str(out), again, "consent") == receipt  # once is enough
    assert [mark.id for mark in marks.read(storage)] == [first_of("elm")]


def published(out):
    return [path for name in ("shards", "ledger", "segments") for path in (out / name).glob("*.parquet")]


def test_what_stays_has_its_page(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    remove(str(out), Wanted(recordings=["amber"]), "other")
    curation("audit", out, "-o", tmp_path / "page")
    meta, summary = meta_of(tmp_path / "page"), read_summary(Storage(str(out)))
    shown = [samples for *_, samples in meta["outside"]] + [samples for *_, samples in meta["cube"]["fixed"]]
    assert sum(shown) + sum(meta["cube"]["cells"]["samples"]) == round(summary.seconds * SAMPLE_RATE)
    assert [line[:2] for line in meta["outside"] if line[0] == "removed"] == [["removed", "other"]]


def test_what_was_removed_is_refused_under_any_name(corpus, tmp_path):
    out, again = tmp_path / "out", tmp_path / "again"
    shutil.copytree(corpus / "out", out)
    remove(str(out), Wanted(recordings=["amber", str(corpus / "in1/dogwood.wav")]), "takedown")
    again.mkdir()
    soundfile.write(again / "another.flac", pcm(LENGTHS["amber"]), 16_000, subtype="PCM_16")
    soundfile.write(again / "new.wav", pcm(7.5), 16_000)
    lines = [
        {"path": name, "id": name, "segments": [utterance(0.5, 1.5, "zanzibar")]}
        for name in ("another.flac", "new.wav")
    ]
    lines.append({"path": str(corpus / "in0/amber.wav"), "id": "amber", "segments": []})
    (again / "m.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    before = read_summary(Storage(str(out)))
    summary = build(story_config(*SETTINGS), [str(again / "m.jsonl")], str(out), make_stages=scripted_stages)
    refused = [row for row in rows(out, "ledger") if row["reason"] == "removed.tombstone"]
    assert [(row["recording_id"], row["status"]) for row in refused] == [("another.flac", "rejected")]
    assert refused[0]["seconds"] == LENGTHS["amber"]
    assert summary.seconds == before.seconds + refused[0]["seconds"] + 7.5
    assert summary.skipped["removed.tombstone"].count == 1
    assert [row["id"] for row in rows(out, "speech")].count(first_of("another.flac")) == 0
    assert "amber" not in {source.id for source in read_plan(Storage(str(out))).sources()}
    compact = build(story_config(*SETTINGS), [], str(out), make_stages=scripted_stages, compact=True)
    assert (compact.seconds, compact.recordings) == (summary.seconds, summary.recordings)
    assert verify(Storage(str(out))) == []


def test_a_corpus_grows_after_a_removal_as_if_it_had_never_had_the_recording(tmp_path):
    folder, out = write_recordings(tmp_path / "in", [*"abcd"]), tmp_path / "out"
    for names in ("abc", "d"):
        inputs = [str(folder / f"{name}.wav") for name in names]
        build(toy_config(unit_files=2), inputs, str(out), make_stages=toy_stages)
        if names == "abc":
            remove(str(out), Wanted(recordings=[str(folder / "b.wav")]), "licence")
    whole = [str(folder / f"{name}.wav") for name in "acd"]
    build(toy_config(unit_files=2), whole, str(tmp_path / "whole"), make_stages=toy_stages)
    for name in ("segments", "shards"):
        assert in_order(out, name).equals(in_order(tmp_path / "whole", name))
    assert [step.kind for step in read_index(Storage(str(out))).generations] == ["build", "remove", "append"]


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_anywhere_there_is_one_receipt_and_the_old_or_the_new_corpus(tmp_path, every):
    folder, out = write_recordings(tmp_path / "in", [*"abc"]), Storage("killing:///removed")
    KillingFileSystem.store.clear()
    for names in ("ab", "c"):
        inputs = [str(folder / f"{name}.wav") for name in names]
        build(toy_config(unit_files=1), inputs, out.root, make_stages=toy_stages)
    start, old, wanted = dict(KillingFileSystem.store), read_index(out), Wanted(recordings=[str(folder / "b.wav")])
    KillingFileSystem.arm(None)
    remove(out.root, wanted, "consent")
    steps, new = len(KillingFileSystem.steps), read_index(out)
    assert new.rows < old.rows
    seen = []
    for fatal in sorted({*range(0, steps, every), steps - 1}):
        KillingFileSystem.store.clear()
        KillingFileSystem.store.update(start)
        KillingFileSystem.arm(fatal)
        with pytest.raises(Killed):
            remove(out.root, wanted, "consent")
        seen.append(read_index(out).rows)
        KillingFileSystem.arm(None)
        interrupted = out.exists(INTENT)
        if interrupted:
            with pytest.raises(ConfigError, match="finish it with `curation remove"):
                build(toy_config(unit_files=1), [], out.root, make_stages=toy_stages, force_unlock=True)
            assert verify(out)[-1].file
        receipt = remove(out.root, Wanted() if interrupted else wanted, "consent", force_unlock=True)
        assert (receipt.recordings, receipt.before.rows, receipt.after.rows) == (1, old.rows, new.rows)
        assert out.names("removals") == ["000003.json", "key", "tombstones.jsonl"]
        assert len(out.read_bytes("removals/tombstones.jsonl").splitlines()) == 1
        assert verify(out) == []
        assert not any(
            b"b-" in name.encode() or b"b.wav" in file.getvalue() for name, file in KillingFileSystem.store.items()
        )
    assert {*seen} == {old.rows, new.rows}
    assert seen == sorted(seen, reverse=True)


def test_who_asks_after_an_interrupted_removal_gets_both(corpus, tmp_path, monkeypatch):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    gone = [*needles(out, "amber"), *needles(out, "dogwood")]

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(scrub, "scrub", killed)
        with pytest.raises(Killed):
            remove(str(out), Wanted(recordings=["amber"]), "consent")
    receipt = remove(str(out), Wanted(recordings=["dogwood"]), "licence")
    assert (receipt.recordings, receipt.reason) == (1, "licence")
    assert found_in(out, gone) == set()
    assert [step.kind for step in read_index(Storage(str(out))).generations][-2:] == ["remove", "remove"]
    assert verify(Storage(str(out))) == []


@pytest.mark.slow
def test_nothing_is_left_in_an_object_store(tmp_path, s3_bucket):
    folder, out = write_recordings(tmp_path / "in", [*"ab"], seconds=1), Storage(s3_bucket)
    build(toy_config(), [str(folder)], out.root, make_stages=toy_stages)
    remove(out.root, Wanted(recordings=[str(folder / "b.wav")]), "consent")
    assert verify(out) == []
    fs, base = file_system(out.root)
    assert fs.find(base)
    assert not any(b"b.wav" in fs.cat_file(path) for path in fs.find(base))


EMPTY = [Wanted(speakers=[""]), Wanted(recordings=["a", " "]), Wanted(speakers=["Ann", ""])]
"""Recordings without a speaker must not be those of the speaker without a name."""


NOBODY = [Wanted(recordings=["nobody"]), Wanted(speakers=["nobody"]), Wanted(["caf\udce9"], ["\udce9"])]


@pytest.mark.parametrize("wanted", [Wanted(), *NOBODY, *EMPTY])
def test_what_nobody_has_removes_nothing(corpus, wanted):
    before = read_index(Storage(str(corpus / "out")))
    with pytest.raises(
        ConfigError,
        match=r"nothing to remove|has no recording or speaker '(nobody|caf\\udce9)'|a name to remove is empty",
    ):
        remove(str(corpus / "out"), wanted, "other")
    assert read_index(Storage(str(corpus / "out"))) == before


def test_what_cannot_be_read_is_named_and_nothing_is_begun(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    find_voices(str(out))
    tokens = next((out / "tokens").iterdir()).relative_to(out)
    for folder in ("ledger", "segments", "speech", "staging", tokens, "voices", "plan/generation-000-*"):
        (file, *_) = sorted(out.glob(f"{folder}/*.parquet"))
        content = file.read_bytes()
        for damaged in (b"", content[: len(content) // 2]):
            file.write_bytes(damaged)
            with pytest.raises(DataError, match=f"{file.name} is damaged .*: .* (copy|again|labels? it)"):
                remove(str(out), Wanted(recordings=["amber", "birch", "cedar"]), "other")
        file.write_bytes(content)
    assert not (out / INTENT).exists()
    file = next(out.glob("shards/*.parquet"))
    file.write_bytes(b"")
    with pytest.raises(DataError, match=f"{file.name} is damaged .* publish the build again"):
        find_voices(str(out))


@pytest.mark.parametrize("left", ["unlabelled", "unpublished"])
def test_a_build_has_to_be_finished_first(corpus, tmp_path, left):
    """Else the corpus that it was to replace would be taken for the one of its new labels."""
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    if left == "unlabelled":
        next((out / "staging").iterdir()).unlink()
    else:
        before_labelling(Storage(str(out)), read_plan(Storage(str(out))), [0])
    with pytest.raises(ConfigError, match="a build is not finished: do that first, with `curation build -o "):
        remove(str(out), Wanted(recordings=["amber"]), "other")
    build(story_config(*SETTINGS), [], str(out), make_stages=scripted_stages)
    assert remove(str(out), Wanted(recordings=["amber"]), "other").recordings == 1


def test_the_commands_remove_and_tell(corpus, tmp_path):
    out, names = tmp_path / "out", tmp_path / "names.txt"
    shutil.copytree(corpus / "out", out)
    names.write_text("birch\r\n\r\ncedar\r\n", encoding="utf-8-sig")  # as Windows writes it
    told = curation("remove", out, "--list", names, "--reason", "licence").stdout
    assert "removed 2 recordings" in told
    number = read_index(Storage(str(out))).edition
    receipt = read_receipt(Storage(str(out)), number)
    assert "trained weights" in " ".join(receipt.not_reached)
    steps = json.loads(curation("log", out, "--json").stdout)
    assert [step["kind"] for step in steps] == ["build", "append", "build", "remove"]
    assert (steps[-1]["reason"], steps[-1]["recordings"]) == ("licence", 2)
    assert "remove" in curation("log", out).stdout
    path = Path(out) / f"removals/{number:06d}.json"
    check_seal(path.read_bytes(), "")
    path.write_bytes(path.read_bytes().replace(b"licence", b"consent", 1))
    assert path.name in curation("verify", out, code=1).stdout + curation("verify", out, code=1).stderr
    assert curation("remove", out, "--list", tmp_path / "nothing.txt", code=2)
