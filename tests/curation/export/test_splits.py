"""Exports of a corpus with splits and tiers: what was asked for, and files for each split where formats have them."""

import json
import shutil

import pytest
from datasets import load_dataset

from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.export.run import Options, export
from curation.living.split import settings_for
from curation.manifests.index import read_index
from curation.pipeline.run import build
from tests.support.builds import table
from tests.support.scripted import scripted_stages


@pytest.fixture(scope="module")
def divided(story, tmp_path_factory):
    """The build of the story, with splits and two tiers."""
    out = tmp_path_factory.mktemp("divided") / "corpus"
    shutil.copytree(story / "out", out)
    config = settings_for(str(out), dev="20%", test="10%", by=())
    publish = config.publish.model_copy(update={"tiers": {"long": ["seconds >= 1"], "rest": []}})
    build(config.model_copy(update={"publish": publish}), [], str(out), make_stages=scripted_stages)
    return out


@pytest.fixture(scope="module")
def rows(divided):
    return table(divided, "shards").select(["id", "split", "tier"]).to_pylist()


def test_hugging_face_has_each_split(divided, rows, tmp_path):
    export("huggingface", str(divided), str(tmp_path / "hf"))
    found = load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    wanted = {}
    for row in rows:
        wanted.setdefault(row["split"], set()).add(row["id"])
    assert {name: set(part["id"]) for name, part in found.items()} == wanted
    assert len(wanted) == 3
    for name, part in found.items():
        assert set(part["split"]) == {name}


def test_tar_files_of_each_split(divided, rows, tmp_path):
    export("webdataset", str(divided), str(tmp_path / "web"))
    names = {path.name for path in (tmp_path / "web").glob("*.tar")}
    assert names == {f"{split}-000000.tar" for split in ("dev", "test", "train")}


@pytest.mark.parametrize(
    ("options", "chosen"),
    [
        (Options(split="dev"), lambda row: row["split"] == "dev"),
        (Options(tiers=["long"]), lambda row: row["tier"] == "long"),
        (Options(split="train", tiers=["long", "rest"], where="seconds > 0"), lambda row: row["split"] == "train"),
    ],
    ids=["split", "tier", "both"],
)
def test_only_what_was_asked_for(divided, rows, tmp_path, options, chosen):
    done = export("emilia", str(divided), str(tmp_path / "emilia"), options)
    found = [json.loads(line)["id"] for line in (tmp_path / "emilia/train.jsonl").read_text().splitlines()]
    wanted = [row["id"] for row in rows if chosen(row)]
    assert 0 < len(wanted) == done.utterances
    assert sorted(found) == sorted(wanted)
    said = json.loads((tmp_path / "emilia/export.json").read_text())["options"]
    assert (said["split"], said["tiers"]) == (options.split, list(options.tiers))


def test_what_a_corpus_does_not_have(story, divided, tmp_path):
    assert read_index(Storage(str(divided))).split is not None
    for corpus, options, message in (
        (story / "out", Options(split="dev"), "--split: .* has no splits: `curation split"),
        (story / "out", Options(tiers=["gold"]), "--tier: .* has no tier 'gold'; it has none: publish it"),
        (divided, Options(tiers=["gold"]), "has no tier 'gold'; it has long, rest"),
        (divided, Options(split="dev", where="seconds > 1000"), "fulfils --split dev and --where seconds > 1000"),
    ):
        with pytest.raises(ConfigError, match=message):
            export("nemo", str(corpus), str(tmp_path / "out"), options)
