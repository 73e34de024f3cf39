"""The default build: real recordings, real models, both engines."""

import json
from fnmatch import fnmatchcase

import numpy as np
import pytest
import soundfile

from curation.core.declarations import declared
from curation.demo.recordings import write_demo_recordings
from curation.pipeline.assemble import declared_notes, declared_scores
from curation.pipeline.config import load_config
from curation.pipeline.run import build
from tests.support.builds import labelled_segments, rows, seconds_by_recording, table

LEFT_OUT = ("monologue_two_cities", "two_speakers", "dialogue_nagg_nell", "monologue_beckett", "librivox_0890")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Those of the demo, without five that are three quarters of its time."""
    folder = tmp_path_factory.mktemp("demo")
    write_demo_recordings(folder)
    manifest, lines = folder / "manifest.jsonl", []
    for line in manifest.read_text().splitlines():
        path = folder / json.loads(line)["path"]
        if path.stem in LEFT_OUT:
            path.unlink()
        else:
            lines.append(line)
    assert len(lines) == 7
    manifest.write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def corpus(recordings, tmp_path_factory):
    """Built in this process: with Ray, two workers would load every model beside the other tests."""
    out = tmp_path_factory.mktemp("corpus") / "out"
    config = load_config(overrides=["publish.audio=true", "engine.runtime=in-process"])
    build(config, [str(recordings / "manifest.jsonl")], str(out))
    return out


def verdicts(out, name):
    """Ledger rows of one recording that are not silence."""
    return [
        row for row in rows(out, "ledger") if row["recording_id"].startswith(name) and row["status"] != "non_speech"
    ]


def test_every_second_is_accounted_for(recordings, corpus):
    accounted = seconds_by_recording(corpus)
    durations = sorted(soundfile.info(path).duration for path in recordings.glob("*.wav"))
    assert sorted(accounted.values()) == pytest.approx(durations, abs=1e-3)


def test_clean_read_sentences_are_kept_with_nearly_their_words(corpus):
    texts = {row["recording_id"][:13]: row["text"] for row in rows(corpus, "shards")}
    kept = [name for name in texts if name.startswith("librivox")]
    assert len(kept) >= 3
    assert "leisure to consider" in texts["librivox-0870"]


def test_the_filters_work_on_the_derived_recordings(corpus):
    cut = verdicts(corpus, "derived-cut")
    assert [(row["status"], row["reason"]) for row in cut] == [("rejected", "boundary.max_cut")]
    assert all(row["status"] == "rejected" for row in verdicts(corpus, "derived-two-voices"))
    assert not [row for row in verdicts(corpus, "") if row["status"] == "failed"]


def test_published_rows_are_complete(corpus):
    for row in rows(corpus, "shards"):
        samples = round(row["seconds"] * 16000)
        assert len(row["glm"]) == -(-samples // 1280)
        assert len(row["semantic"]) == (samples - 400) // 320 + 1
        assert len(row["global"]) == 32
        assert row["language"] == "en"
        assert len(row["hypotheses"]) == 3
        assert row["pwer"] < 0.15
        assert 0 < row["confidence"] <= 1
        assert np.linalg.norm(row["speaker_embedding"]) == pytest.approx(1, abs=1e-4)
        assert [word["start"] for word in row["words"]] == sorted(word["start"] for word in row["words"])


def test_published_audio_peaks_at_0_6(corpus):
    from curation.audio.flac import decode_flac

    for row in rows(corpus, "shards"):
        assert abs(np.abs(decode_flac(row["audio"])).max() - 0.6) < 1 / 2**15


def test_every_score_and_note_is_declared_with_unit_and_meaning(corpus):
    stored = {"recording": rows(corpus, "staging")}
    stored["segment"] = labelled_segments(corpus)
    stored["hypothesis"] = [item for segment in stored["segment"] for item in segment["hypotheses"]]
    for what, records in stored.items():
        names = {name for record in records for name, _ in record["scores"]}
        known = [score for score in declared_scores() if score.of == what]
        assert names
        assert {name for name in names if not declared(name, known)} == set()
        assert all(score.unit and score.meaning for score in known)
        notes = {name for record in records for name, _ in record.get("notes", ())}
        own = [note for note in declared_notes() if note.of == what]
        assert {name for name in notes if not declared(name, own)} == set()
        # And nothing is declared that no build has; the demo's manifest gives the language, which has three systems.
        unseen = {score.name for score in known if not any(fnmatchcase(name, score.name) for name in names)}
        checked = {"reference.wer", "reference.wer.*"}  # only where transcripts are checked
        assert unseen <= {"language.probability", "consensus.self_inconsistency", *checked}


def test_index_names_the_tokenizers(corpus):
    index = json.loads((corpus / "shards/_index.json").read_text())
    assert index["tokenizers"]["glm"]["name"] == "compact-content"
    assert len(index["tokenizers"]["fingerprint"]) == 64


@pytest.mark.slow
def test_ray_and_this_process_give_the_same_rows(recordings, corpus, tmp_path):
    """Three of the recordings, in other units and by a worker of Ray's. `test_run` compares scripted stages."""
    lines = (recordings / "manifest.jsonl").read_text().splitlines()
    few = recordings / "few.jsonl"
    few.write_text("\n".join(lines[::3]))
    build(
        load_config(overrides=["publish.audio=true", "engine.workers=1", "engine.unit_files=16"]),
        [str(few)],
        str(tmp_path / "out"),
    )
    ids = set(table(tmp_path / "out", "ledger")["recording_id"].to_pylist())
    assert len(ids) == 3
    for folder in ("ledger", "shards"):
        expected = [row for row in rows(corpus, folder) if row["recording_id"] in ids]
        assert rows(tmp_path / "out", folder) == expected
        assert expected
