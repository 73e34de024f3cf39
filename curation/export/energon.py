"""Megatron energon: the tar files of WebDataset, with the index that `energon prepare` writes into `.nv-meta`."""

import hashlib
import json
import shutil
import subprocess
import uuid
from pathlib import Path

from curation.core.errors import ConfigError, DataError
from curation.export import webdataset
from curation.export.shards import Job

PROGRAM = "energon"
UUID_FILE = ".nv-meta/index.uuid"
"""Random as energon writes it; ours follows from the tar files, so that exporting twice gives the same bytes."""
OPTIONS = ("--non-interactive", "--sample-type", "CrudeWebdataset", "--no-progress", "--num-workers", "1")
"""By one process: several write the index in the order in which they happen to end, and exporting twice would not give
the same bytes.
"""


def write(job: Job) -> None:
    """The tar files and `.nv-meta`. Raises ConfigError, before anything is written, where energon is not installed."""
    program = shutil.which(PROGRAM)
    if program is None:
        msg = (
            "the program `energon`, which writes the index, is not there: `pip install megatron-energon` in an "
            "environment on the PATH, or export `webdataset` and run `energon prepare` where the training is"
        )
        raise ConfigError(msg)
    webdataset.write(job)
    splits = [option for mine in job.divided for option in ("--split-parts", f"{mine.split}:{mine.split}-.*")]
    with job.folder.by_program() as folder:
        command = [program, "prepare", *OPTIONS, *splits, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            msg = f"`energon prepare` failed: {(done.stderr or done.stdout).strip()[-2000:]}"
            raise DataError(msg)
        tars = hashlib.sha256(json.dumps(list(job.folder.files())).encode()).digest()
        Path(folder, UUID_FILE).write_text(str(uuid.UUID(bytes=tars[:16])), encoding="utf-8")
