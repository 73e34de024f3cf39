"""Of recordings with the same samples exactly one counts, and goes on counting; seconds add up wherever they are."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.audio.wave import SAMPLE_RATE
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.living.verify import verify
from curation.manifests import plan
from curation.manifests.duplicates import exact
from curation.manifests.duplicates.exact import Content, Contents
from curation.manifests.index import read_index
from curation.manifests.records import Source
from curation.manifests.summary import read_summary
from curation.pipeline.guard import lock
from curation.pipeline.run import build
from tests.support.builds import in_order, rows, seconds_by_recording
from tests.support.commands import curation
from tests.support.faults.search import found_in
from tests.support.scripted import noise, out_of_it, scripted_stages, utterance, write_corpus
from tests.support.story import story_config

SCRIPT = [
    utterance(0.5, 1.5, "same words"),
    utterance(1.5, 2.0, "rejected", scores={"pwer": 0.5}),
    out_of_it(2.0, 2.25, "rejected", "diarize.min_seconds", 0.25, 1.0),
    out_of_it(2.25, 2.5, "failed", "transcribe", None, None, "it broke"),
]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(lock, "SETTLE_SECONDS", 0.0)


def pcm(seconds):
    return (noise(seconds) * 32767).astype(np.int16)


def item(seconds, **columns):
    return pcm(seconds), SAMPLE_RATE, {"segments": SCRIPT, **columns}


def publish(out: Path, *inputs: Path, **options):
    overrides = options.pop("overrides", ())
    return build(
        story_config("tokenize=null", *overrides), [*map(str, inputs)], str(out), make_stages=scripted_stages, **options
    )


def verdicts(out, recording):
    """Status, reason and detail of the stretches of a recording, without non-speech."""
    found = (row for row in in_order(out, "ledger").to_pylist() if row["recording_id"] == recording)
    return [(row["status"], row["reason"], row["detail"]) for row in found if row["status"] != "non_speech"]


def of_a_duplicate(survivor):
    return [("rejected", "dedup.exact", survivor)] * 3 + [("failed", "transcribe", "it broke")]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Two generations: the content of `b` under another name, in another container, appended, and in pieces; and one
    file of two equal channels."""
    folder = tmp_path_factory.mktemp("corpus")
    stereo = np.stack([pcm(3.25), pcm(3.25)], axis=1)
    first = {
        "b.wav": item(3.0, id="b"),
        "c.flac": item(3.0, id="c", speaker="another"),
        "two.wav": (stereo, SAMPLE_RATE, {"id": "left", "channel": 0, "segments": SCRIPT}),
        "other.wav": item(3.5, id="other"),
    }
    manifest = write_corpus(folder / "in0", first)
    more = [
        {"path": "two.wav", "id": "right", "channel": 1, "segments": SCRIPT},
        *({"path": "b.wav", "id": f"cut{at}", "offset": at, "duration": 1.5, "segments": []} for at in (0, 1.5)),
    ]
    manifest.write_text("\n".join([manifest.read_text().strip(), *map(json.dumps, more)]))
    publish(folder / "out", manifest)
    publish(folder / "out", write_corpus(folder / "in1", {"a.wav": item(3.0, id="a"), "z.wav": item(3.75, id="z")}))
    return folder


def test_one_of_each_content_counts_and_all_seconds_are_there(corpus):
    out = corpus / "out"
    for name, survivor in (("a", "b"), ("c", "b"), ("right", "left")):
        assert verdicts(out, name) == of_a_duplicate(survivor), name
    for name in ("b", "left", "other", "z"):
        assert verdicts(out, name)[0] == ("kept", None, None)
    assert {row["recording_id"] for row in rows(out, "shards")} == {"b", "left", "other", "z"}
    lengths = {"a": 3.0, "b": 3.0, "c": 3.0, "left": 3.25, "right": 3.25, "other": 3.5, "z": 3.75}
    assert seconds_by_recording(out) == {**lengths, "cut0": 1.5, "cut1.5": 1.5}
    summary = read_summary(Storage(str(out)))
    assert summary.seconds == sum(lengths.values()) + 3.0
    (line,) = (line for line in summary.lines if line.reason == "dedup.exact")
    assert (line.count, line.seconds) == (9, 3 * 1.75)
    assert read_index(Storage(str(out))).generations[-1].kind == "append"
    untried = [row for row in rows(out, "segments") if row["reason"] == "dedup.exact"]
    assert {(row["rules_broken"], row["rules_missing"], row["value"]) for row in untried} == {(None, None, None)}
    assert "dedup.exact" in (out / "README.md").read_text()


def test_it_can_be_switched_off_and_on_and_the_same_one_counts(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    before = in_order(out, "ledger")
    publish(out, overrides=["dedup.exact=false"])
    assert {verdicts(out, name)[0][0] for name in "abc"} == {"kept"}
    publish(out)
    assert in_order(out, "ledger").equals(before)
    assert curation("why", out, "a@1.0s").stdout.count("dedup.exact") == 1


def test_another_one_counts_where_the_content_of_the_first_changed(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    manifest = write_corpus(tmp_path / "in", {"b.wav": item(3.0, id="b", language="de")})
    (corpus / "in0/b.wav").rename(tmp_path / "kept.wav")
    try:
        soundfile.write(corpus / "in0/b.wav", pcm(4.0), SAMPLE_RATE, subtype="PCM_16")
        row = json.loads(manifest.read_text())
        manifest.write_text(json.dumps({**row, "path": str(corpus / "in0/b.wav")}))
        publish(out, manifest)
    finally:
        (tmp_path / "kept.wav").rename(corpus / "in0/b.wav")
    assert verdicts(out, "b")[0] == verdicts(out, "c")[0] == ("kept", None, None)
    assert verdicts(out, "a") == of_a_duplicate("c")
    assert verify(Storage(str(out))) == []


def test_all_recordings_of_a_content_are_removed_together(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    storage, before = Storage(str(out)), read_summary(Storage(str(corpus / "out"))).seconds
    hashes = {row["recording_id"]: row["pcm"] for row in rows(out, "ledger")}
    wanted = [hashes["b"].encode(), b"c.flac", b"a.wav"]
    receipt = remove(str(out), Wanted(["c"]), "licence")
    assert (receipt.recordings, receipt.duplicates, receipt.samples) == (3, 2, 3 * 48_000)
    assert found_in(out, wanted) == set()
    assert {row["recording_id"] for row in rows(out, "ledger")} >= {"left", "right", "other", "z", "cut0"}
    assert read_summary(storage).seconds == before
    assert verify(storage) == []
    assert remove(str(out), Wanted(["b"]), "consent") == receipt


def test_a_corpus_without_hashes_in_its_ledger_is_published_anew_before_a_removal(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus / "out", out)
    storage = Storage(str(out))
    for name in storage.names("ledger"):
        storage.write_table(f"ledger/{name}", storage.read_table(f"ledger/{name}").drop_columns(["pcm"]))
    with pytest.raises(ConfigError, match="curation compact"):
        remove(str(out), Wanted(["b"]), "consent")


GENERATIONS = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["", "p", "q", "r"]), min_size=1, max_size=6),
    min_size=1,
    max_size=4,
)


@settings(max_examples=10)
@given(GENERATIONS, st.sampled_from([exact.ROWS_AT_ONCE, 3]))
def test_of_each_content_one_counts_and_goes_on_counting(tmp_path_factory, generations, rows_at_once):
    """Generations of recordings, of which some are labelled again with another content; what the samples are is in
    memory, or some of it in the database.
    """
    out = Storage(str(tmp_path_factory.mktemp("plan")))
    planned, contents, seen = plan.Plan(out), {}, []
    for found in generations:
        todo = [plan.Todo(Source(one, f"{one}.wav")) for one in sorted(found)]
        planned = plan.extend_plan(out, planned, todo, unit_files=2, unit_bytes=10**9)
        units = {source.id: unit.number for unit in planned.units(range(99)) for source in unit.sources}
        seen += [Content(one, units[one], pcm) for one, pcm in found.items() if pcm]
        contents |= found
    with pytest.MonkeyPatch.context() as patch, Contents(planned) as asked:
        patch.setattr(exact, "ROWS_AT_ONCE", rows_at_once)
        for one in seen:
            asked.add([one])
        duplicates = {twin.recording: twin.detail for twin in asked.duplicates()}
    groups: dict[str, list[str]] = {}
    for one, pcm in contents.items():
        groups.setdefault(pcm, []).append(one)
    for pcm, members in groups.items():
        counting = [one for one in members if one not in duplicates]
        if not pcm:
            assert len(counting) == len(members)
            continue
        assert len(counting) == 1
        assert {duplicates[one] for one in members if one not in counting} <= {*counting}
        first = {one: max(n for n, found in enumerate(generations) if one in found) for one in members}
        assert counting == [min(members, key=lambda one: (first[one], one))]


def test_nothing_is_left_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Contents(plan.Plan(Storage(str(tmp_path)))) as asked:
        asked.add([Content("a", 0, "x"), Content("b", 0, "x")])
        assert [twin.recording for twin in asked.duplicates()] == ["b"]
        assert [*tmp_path.iterdir()]
    assert not [*tmp_path.iterdir()]
