"""The commands of `curation/cli/living.py`: `curation compact` writes a corpus that grew as one generation."""

import json

from curation.core.storage import Storage
from curation.manifests.index import read_index
from tests.support.builds import toy_build, write_recordings
from tests.support.commands import curation


def test_a_corpus_that_grew_is_written_as_one_generation(tmp_path):
    folder, out = write_recordings(tmp_path / "in", ["alpha"]), tmp_path / "out"
    toy_build(folder, out)
    toy_build(write_recordings(folder, ["beta"]), out)
    before = read_index(Storage(str(out)))
    summary = json.loads(curation("compact", out, "--json").stdout)
    after = read_index(Storage(str(out)))
    assert (len(before.shards), len(after.shards), summary["utterances"]) == (2, 1, before.rows)
    assert [step.kind for step in after.generations] == ["build", "append", "compact"]
    assert "2 recordings" in curation("compact", out).stdout
    assert curation("verify", out).exit_code == 0
