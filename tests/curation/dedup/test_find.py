"""Near duplicates are reported in groups, left out on request, and stay left out when they are looked for again."""

import json
import shutil

import numpy as np
import pytest

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.dedup.find import Limits, find
from curation.dedup.likeness import Likeness
from curation.living.remove import Wanted, remove
from curation.living.verify import verify
from curation.manifests.duplicates.near import Groups
from curation.manifests.summary import read_summary
from curation.pipeline.run import build
from tests.support.builds import rows
from tests.support.commands import curation
from tests.support.faults.search import found_in
from tests.support.real_speech import librivox
from tests.support.scripted import scripted_stages, utterance, write_corpus
from tests.support.story import story_config

NAMES = ("a", "b", "copy", "late", "other", "quiet")
STARTS = np.array([0.2, 0.5, 1.1, 1.4, 2.3, 2.9])
TEXT = "once upon a time there was"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Recordings of one sentence each: `copy` is `a` with faint noise, `quiet` is `b` at half the level, `late` begins
    0.13 s later than `a`. `other` is another take of what `a` says: the same words in another rhythm.
    """
    folder = tmp_path_factory.mktemp("near")
    one, two, three = (wave[: 16_000 * 4] for wave in librivox()[:3])
    noise = np.random.default_rng(0).standard_normal(len(one)) * 1e-3
    waves = {"a": one, "b": two, "copy": one + noise, "late": one[2080:], "other": three, "quiet": two * 0.5}
    starts = {"late": STARTS - 0.13, "other": STARTS + np.array([0, 0.2, 0, 0.1, 0, 0.1])}
    recordings = {}
    for name, wave in waves.items():
        words = [(word, at, at + 0.1) for word, at in zip(TEXT.split(), starts.get(name, STARTS), strict=True)]
        said = {"text": "no more", "words": []} if name in {"b", "quiet"} else {"text": TEXT, "words": words}
        segments = [utterance(0.0, len(wave) / 16_000, **said)]
        recordings[f"{name}.wav"] = (wave, 16_000, {"id": name, "segments": segments})
    build(
        story_config(), [str(write_corpus(folder / "in", recordings))], str(folder / "out"), make_stages=scripted_stages
    )
    return folder / "out"


def grouped(out):
    found = {}
    for row in rows(out, "duplicates"):
        found.setdefault(row["group"], []).append(row["id"])
    return [*found.values()]


def test_copies_are_groups_and_nothing_is_rejected_until_it_is_asked_for(corpus, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(corpus, out)
    report = find(str(out))
    assert grouped(out) == [["a", "copy", "late"], ["b", "quiet"]]
    assert (report.groups, report.others, report.utterances) == (2, 3, 6)
    lengths = {row["recording_id"]: row["seconds"] for row in rows(out, "shards")}
    assert report.seconds == pytest.approx(lengths["copy"] + lengths["late"] + lengths["quiet"])
    (late,) = (row for row in rows(out, "duplicates") if row["id"] == "late")
    assert late["codes"] < 0.5
    assert (late["rhythm_ms"], late["speed"]) == pytest.approx((0, 1), abs=0.01)  # words alone have found it
    assert json.loads((out / "duplicates/report.json").read_bytes())["examples"][0]["shown"][0]["text"] == TEXT
    assert {row["recording_id"] for row in rows(out, "shards")} == {*NAMES}
    before = read_summary(Storage(str(out))).seconds
    for _ in range(2):  # once it is left out it stays so, whether it is looked for again or not
        summary = build(story_config("dedup.near=reject"), [], str(out), make_stages=scripted_stages)
        assert {row["recording_id"] for row in rows(out, "shards")} == {"a", "b", "other"}
        find(str(out))
        assert grouped(out) == [["a", "copy", "late"], ["b", "quiet"]]
    assert summary.seconds == before
    (row,) = (row for row in rows(out, "segments") if row["recording_id"] == "copy")
    assert (row["status"], row["reason"], row["detail"], row["rules_broken"]) == (
        "rejected",
        "dedup.near",
        "group 0",
        None,
    )
    assert row["value"] > 0.6
    remove(str(out), Wanted(["a"]), "consent")
    assert found_in(out, [b"a.wav", b"a-0000000000"]) == set()
    assert grouped(out) == [["copy", "late"], ["b", "quiet"]]
    build(story_config("dedup.near=reject"), [], str(out), make_stages=scripted_stages)
    assert {row["recording_id"] for row in rows(out, "shards")} == {"b", "copy", "other"}  # the first that is there
    assert verify(Storage(str(out))) == []


FASTER = Likeness(codes=0.3, voice=0.9, words=0.9, seconds=0.9, rhythm_ms=12.0, speed=1.1)


@pytest.mark.parametrize(
    ("change", "met"),
    [
        ({}, True),
        ({"speed": 1 / 1.1}, True),
        ({"voice": None, "words": None}, True),  # what cannot be compared is no obstacle ...
        ({"rhythm_ms": None, "speed": None}, False),  # ... but codes or rhythm must be known to be the same
        ({"rhythm_ms": None, "speed": None, "codes": 0.6}, True),
        ({"rhythm_ms": 60.0, "codes": 0.6}, True),
        ({"rhythm_ms": 60.0}, False),
        ({"speed": 1.2}, False),
        ({"speed": 1 / 1.2}, False),
        ({"voice": 0.4}, False),
        ({"words": 0.5}, False),
        ({"seconds": 0.4}, False),
    ],
)
def test_near_duplicates_have_voice_and_text_in_common_and_codes_or_rhythm(change, met):
    assert Limits().met_by(FASTER._replace(**change)) == met


def test_the_command_fits_a_terminal_and_says_what_it_needs(corpus, tmp_path):
    """curation/cli/questions/duplicates.py."""
    out = tmp_path / "out[bold]"
    shutil.copytree(corpus, out)
    shown = curation("dedup", out).stdout
    assert "2 groups in 6 utterances: 3 utterances" in shown
    assert max(len(line) for line in shown.splitlines() if str(out) not in line) <= 80
    options = ("--codes", "0.4", "--rhythm-ms", "9", "--speed", "0.02", "--voice", "0.6", "--words", "0.7")
    report = json.loads(curation("dedup", out, "--json", *options).stdout)
    assert report["limits"] == {
        "codes": 0.4,
        "rhythm_ms": 9,
        "speed": 0.02,
        "voice": 0.6,
        "words": 0.7,
        "seconds": 0.5,
    }
    assert [row["speed"] for row in report["examples"][0]["shown"]] == pytest.approx([1.0, 1.0, 1.0])
    assert Groups.read(Storage(str(out))).planned == 1
    build(story_config("tokenize=null"), [], str(out), make_stages=scripted_stages)
    with pytest.raises(ConfigError, match="without tokens"):
        find(str(out))
