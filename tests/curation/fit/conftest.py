"""A labelled build with transcripts."""

import json

import pytest

from tests.curation.fit.heard import said, stages
from tests.support.builds import toy_build, toy_config
from tests.support.dummies import tone, write_wav


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A build of 40 recordings of one utterance each, with transcripts in the manifest."""
    folder = tmp_path_factory.mktemp("labelled")
    names = [f"r{number:02}" for number in range(40)]
    (folder / "in").mkdir()
    for name in names:
        write_wav(folder / "in" / f"{name}.wav", tone(1.0, hertz=200 + int(name[1:])))
    manifest = folder / "in.jsonl"
    lines = [{"path": f"in/{name}.wav", "id": name, "transcript": " ".join(said(int(name[1:])))} for name in names]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))
    toy_build(manifest, folder / "out", toy_config(), make_stages=stages)
    return folder
