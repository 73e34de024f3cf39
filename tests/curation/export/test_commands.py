"""`curation export` (curation/cli/living.py) writes a folder and says what is in it; its help names every format."""

import json

from curation.export.run import FORMATS
from tests.support.commands import curation, message


def test_an_export_is_written_and_told(story, tmp_path):
    out = tmp_path / "out"
    told = curation("export", "nemo", story / "out", out, "--where", "language = 'zh'", "--audio", "opus", "--json")
    assert json.loads(told.stdout) == {"folder": str(out), "utterances": 1, "seconds": 1.0}
    assert [path.suffix for path in out.glob("audio/*/*")] == [".ogg"]
    told = curation("export", "kaldi", story / "out", out, "--shard-hours", 0.001)
    assert told.stdout == f"10 utterances, 0.00 h: {out}\n"
    assert len(list(out.glob("audio/*"))) == 4


def test_what_cannot_be_exported_is_a_message(story, tmp_path):
    assert "see `curation schema`" in message(
        curation("export", "nemo", story / "out", tmp_path / "out", "--where", "nonsense", code=2)
    )
    assert "choose one of nemo" in message(curation("export", "mp3", story / "out", tmp_path / "out", code=2))


def test_the_help_names_every_format():
    told = " ".join(curation("export", "--help").stdout.replace("│", " ").split())
    for name in FORMATS:
        assert name in told
