"""The card at the root of a build: datasets opens the folder with it, and it is never written over somebody's own."""

import shutil

import datasets
import yaml

from curation.core.storage import Storage
from curation.manifests.index import read_index
from curation.manifests.summary import read_summary
from curation.pipeline.provenance import read_config
from curation.pipeline.readme.card import FILE, MARK, card, write_card
from tests.support.builds import count, rows
from tests.support.story import KEPT


def test_datasets_opens_the_folder(story, tmp_path):
    out = story / "out"
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path))
    assert list(loaded) == ["train"]
    assert loaded["train"]["text"][:] == [row["text"] for row in rows(out, "shards")]
    segments = datasets.load_dataset(str(out), "segments", split="train", cache_dir=str(tmp_path))
    assert len(segments) == len(rows(out, "segments"))
    ledger = datasets.load_dataset(str(out), "ledger", split="train", cache_dir=str(tmp_path))
    assert ledger["status"][:].count("kept") == count(out, "kept") == len(KEPT)


def test_what_the_card_says(story):
    text = (story / "out" / FILE).read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["language"] == ["en", "zh"]
    for said in ("in 10 utterances of 7 speakers", "| rejected | boundary.max_cut | 2 |", "`whisper-base` | MIT |"):
        assert said in text
    assert "| `consensus.max_pwer` | 0.15 |" in text


def test_folders_of_models_stay_private(story):
    out = Storage(str(story / "out"))
    config = read_config(out)
    voices = config.diarize.model_copy(update={"embedding": "path:/home/me/secret/voices"})
    config = config.model_copy(update={"diarize": voices})
    text = card(read_summary(out), read_index(out), config)
    assert "secret" not in text
    assert "| `path:voices` | unknown |" in text


def test_a_readme_of_ones_own_stays(story, tmp_path):
    shutil.copytree(story / "out", tmp_path / "out")
    out = Storage(str(tmp_path / "out"))
    arguments = read_summary(out), read_index(out), read_config(out)
    out.write_bytes(FILE, MARK.encode())
    write_card(out, *arguments)
    assert out.read_bytes(FILE) == (story / "out" / FILE).read_bytes()
    out.write_bytes(FILE, b"# mine\n")
    write_card(out, *arguments)
    assert out.read_bytes(FILE) == b"# mine\n"
