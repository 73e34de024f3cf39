"""mfa align as a program: one start for a batch, its results and its errors."""

import json
import stat
import sys

import pytest

from curation.core.errors import ModelError
from curation.stages.punctuate.base import Spoken
from tests.support.checkpoints.mfa_golden import SILENCE, loaded, starts

PROGRAM = """#!PYTHON
import json, os, sys
from pathlib import Path
words = sys.argv[1:]
command, corpus, dictionary, model, out = words[:5]
assert command == "align" and Path(dictionary).is_file() and Path(model).is_file(), words
options = words[5:]
assert options[options.index("--output_format") + 1] == "json"
assert options[options.index("--beam") + 1] == "10" and "--single_speaker" in options
assert str(Path(sys.argv[0]).parent) == os.environ["PATH"].split(":")[0] and os.environ["MFA_ROOT_DIR"]
Path(out).mkdir()
Path(LOG).write_text(json.dumps(words))
folders = [len(list(path.glob("*.lab"))) for path in sorted(Path(corpus).iterdir())]
Path(LOG + ".speakers").write_text(json.dumps(folders))
texts = {str(path.relative_to(corpus))[:-4]: path.read_text().split() for path in sorted(Path(corpus).glob("*/*.lab"))}
assert {stem + ".wav" for stem in texts} == {str(path.relative_to(corpus)) for path in Path(corpus).rglob("*.wav")}
if any("broken" in text for text in texts.values()):
    sys.exit("database is locked")
texts = {stem: text for stem, text in texts.items() if "mismatch" not in text}
if not texts:
    sys.exit("NoAlignmentsError: There were no successful \\nalignments for 1 utterances.")
for stem, text in texts.items():
    entries = [[0.2 * n, 0.2 * n + 0.2, word.lower().strip(",.")] for n, word in enumerate(text)]
    tiers = {"words": {"type": "interval", "entries": entries}}
    (Path(out) / stem).parent.mkdir(exist_ok=True)
    (Path(out) / (stem + ".json")).write_text(json.dumps({"start": 0, "end": 5, "tiers": tiers}))
"""


@pytest.fixture
def program(store, tmp_path):
    path = tmp_path / "mfa"
    path.write_text(PROGRAM.replace("PYTHON", sys.executable).replace("LOG", repr(str(tmp_path / "log"))))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_a_batch_goes_through_one_start_of_the_program(program, tmp_path):
    aligner = loaded(run="command", command=str(program))
    batch = [
        Spoken(SILENCE, ["Is", "—", "it,"], "en"),
        Spoken(SILENCE, ["mismatch"], "en"),
        Spoken(SILENCE, ["hallo"], "de"),
        Spoken(SILENCE, ["—"], "en"),
        Spoken(SILENCE, ["cold-hearted", "man"], "en"),
    ]
    placed = aligner.align_all(batch)
    assert [starts(one) if one else None for one in placed] == [[0.0, None, 0.2], None, None, None, [0.0, 0.2]]
    assert json.loads((tmp_path / "log").read_text())[0] == "align"


def test_each_speaker_has_a_folder_of_his_own(program, tmp_path):
    """MFA subtracts the mean of a folder: nobody's result may depend on others in the batch."""
    batch = [Spoken(SILENCE, ["it"], "en", speaker) for speaker in ("a", "b", None, "a", None)]
    assert all(loaded(run="command", command=str(program)).align_all(batch))
    assert json.loads((tmp_path / "log.speakers").read_text()) == [2, 1, 1, 1]


def test_a_batch_of_which_nothing_fits_is_a_result(program):
    assert loaded(run="command", command=str(program)).align(SILENCE, ["mismatch"], "en") is None


def test_a_program_that_fails_says_why(program):
    with pytest.raises(RuntimeError, match="ended with 1: database is locked"):
        loaded(run="command", command=str(program)).align(SILENCE, ["broken"], "en")


def test_a_missing_program_is_named():
    with pytest.raises(ModelError, match=r"no-such-mfa.*conda install"):
        loaded(run="command", command="no-such-mfa")
