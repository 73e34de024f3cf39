"""`curation marks`: import, list, retract; and `curation audit estimate`, which counts them."""

import json
import shutil

import pytest

from curation.manifests.marks.files import digest
from tests.support.commands import curation, message

ANN = "ann-0000032000-0000052000"


@pytest.fixture
def out(story, tmp_path):
    shutil.copytree(story / "out", tmp_path / "out")
    return tmp_path / "out"


def test_marks_are_taken_listed_estimated_and_retracted(out, tmp_path):
    mark = {"id": ANN, "kind": "text", "verdict": "wrong", "text_seen": digest("Sensibility"), "by": "me"}
    drawn = {**mark, "sample": {"stratum": "kept/en/near", "weight": 2.0, "size": 9}, "text": "Sense"}
    file = tmp_path / "marks.jsonl"
    file.write_text("\n".join(map(json.dumps, [drawn, {**mark, "text_seen": digest("older")}])))
    shown = curation("marks", "import", out, file).stdout
    assert "1 marks taken" in shown
    assert "1 refused: the text has changed" in shown
    assert len(json.loads(curation("marks", "import", out, file, "--json").stdout)["known"]) == 1
    assert "text wrong by me" in curation("marks", "list", out).stdout
    assert json.loads(curation("marks", "list", out, "--json").stdout)[0]["text"] == "Sense"
    assert "100.0%" in curation("audit", "estimate", out).stdout
    assert json.loads(curation("audit", "estimate", out, "--json").stdout)["share"] == 1.0
    assert ANN in curation("marks", "retract", out, ANN).stdout
    assert json.loads(curation("marks", "list", out, "--json").stdout) == []
    assert "has no mark of" in message(curation("marks", "retract", out, ANN, code=2))
    assert "no mark of a random sample" in message(curation("audit", "estimate", out, code=2))
