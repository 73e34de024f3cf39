"""The tutorial 'a day in the life', command by command as it stands on the page."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from curation.demo.recordings import write_demo_recordings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/tutorials/a-day-in-the-life.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.slow  # models of the label pass are loaded three times, training's twice
def test_every_command_of_the_day_runs(tmp_path):
    write_demo_recordings(tmp_path / "demo/recordings")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    said = ""
    for block in COMMANDS:
        done = subprocess.run(
            ["bash", "-e", "-c", block],
            cwd=tmp_path,
            env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        said += done.stdout + done.stderr
        assert done.returncode == 0, (block, done.stdout, done.stderr)
    day = tmp_path / "day"
    index = json.loads((day / "corpus/shards/_index.json").read_text())
    assert [step["kind"] for step in index["generations"][:3]] == ["build", "append", "remove"]
    rows = [
        row for entry in index["shards"] for row in pq.read_table(day / "corpus/shards" / entry["file"]).to_pylist()
    ]
    assert {row["speaker"] for row in rows} == {"Reader"}
    assert len(rows) >= 3
    assert "is whole" in said
    assert "removed.tombstone" in said
    assert not [file for file in (day / "corpus").rglob("*") if file.is_file() and b"Actress" in file.read_bytes()]
    for name in ("for-nemo", "for-the-hub", "tars"):
        assert 0 < json.loads((day / name / "export.json").read_text())["utterances"] <= len(rows)
    assert sorted(path.name for path in (day / "next").glob("checkpoint*"))
