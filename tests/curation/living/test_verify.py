"""A corpus of which anything was altered, lost or added is not whole, and the file is named."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from curation.cli import app
from curation.core.errors import ConfigError
from curation.core.storage import Storage
from curation.living.remove import Wanted, remove
from curation.living.verify import verify
from curation.manifests.index import FILE, read_index
from curation.pipeline.run import build
from tests.support.builds import seconds_by_recording, toy_config, write_recordings
from tests.support.toy import toy_stages


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grown")
    write_recordings(folder / "in", ["alpha", "beta", "gamma"])
    for names in (("alpha", "beta"), ("gamma",)):
        inputs = [str(folder / f"in/{name}.wav") for name in names]
        build(toy_config(), inputs, str(folder / "out"), make_stages=toy_stages)
    return Storage(str(folder / "out"))


def published(out):
    names = [(folder, name) for folder in ("shards", "ledger", "segments", "generations") for name in out.names(folder)]
    return [f"{folder}/{name}" for folder, name in names if "labelling" not in name]


def run(out):
    return CliRunner().invoke(app, ["verify", out.root])


def test_an_untouched_corpus_is_whole(grown):
    assert verify(grown) == []
    result = run(grown)
    assert (result.exit_code, "2 generations" in result.output) == (0, True)


def check_bytes(out, names):
    """An altered byte of any of these files is noticed."""
    for name in names:
        content = out.read_bytes(name)
        for place in {0, len(content) // 3, len(content) // 2, len(content) - 1}:
            out.write_bytes(name, content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            found = verify(out)
            out.write_bytes(name, content)
            assert name in {problem.file for problem in found}, (name, place)
    assert verify(out) == []


def test_any_altered_byte_is_noticed_and_the_file_named(grown):
    names = published(grown)
    assert len(names) == 2 * 3 + 2 + 1
    check_bytes(grown, [*names, "generations/000002-labelling.json", "summary.json", "mixture.json"])


def test_so_it_is_with_what_a_removal_leaves(grown, tmp_path):
    out = Storage(str(shutil.copytree(grown.root, tmp_path / "out")))
    for recording in sorted(seconds_by_recording(tmp_path / "out"))[:2]:
        remove(out.root, Wanted(recordings=[recording]), "consent")
    names = [f"removals/{name}" for name in out.names("removals")]
    assert names == ["removals/000003.json", "removals/000004.json", "removals/key", "removals/tombstones.jsonl"]
    check_bytes(out, names)


def test_a_missing_file_and_one_too_many_are_noticed(grown):
    for name in published(grown):
        if name != FILE:
            content = grown.read_bytes(name)
            grown.remove(name)
            assert [(problem.file, problem.what) for problem in verify(grown)] == [(name, "is missing")]
            result = run(grown)
            assert (result.exit_code, name in result.output) == (1, True)
            grown.write_bytes(name, content)
    for folder in ("shards", "ledger", "segments", "generations"):
        grown.write_bytes(f"{folder}/part-000009.parquet", b"x")
        (problem,) = verify(grown)
        assert problem.file == f"{folder}/part-000009.parquet"
        grown.remove(problem.file)


def test_a_summary_of_other_totals_is_noticed(grown):
    content = grown.read_bytes("summary.json")
    values = json.loads(content)
    values["lines"][0]["seconds"] += 1
    grown.write_json("summary.json", values)
    assert [problem.file for problem in verify(grown)] == ["summary.json"]
    grown.write_bytes("summary.json", content)


def test_a_corpus_without_hashes_is_refused_with_the_remedy(grown):
    content = grown.read_bytes(FILE)
    values = {name: value for name, value in json.loads(content).items() if name not in {"generations", "sealed"}}
    grown.write_json(FILE, values)
    with pytest.raises(ConfigError, match=r"kept no hashes: `curation compact"):
        verify(grown)
    grown.write_bytes(FILE, content)
    assert len(read_index(grown).generations) == 2


def test_what_is_no_corpus_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="holds no finished build"):
        verify(Storage(str(tmp_path)))
