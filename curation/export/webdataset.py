"""WebDataset: `train-000000.tar` with `KEY.flac` and `KEY.json` beside each other. No key has a dot (`ids.safe`)."""

from curation.export.folder import json_line
from curation.export.shards import Job, plain, tar_file


def write(job: Job) -> None:
    """Tar files of each split."""
    for mine in job.divided:
        for part, utterances in mine.parts():
            with tar_file(job.folder, f"{mine.split}-{part:06d}.tar") as tar:
                for one in utterances:
                    tar.add(f"{one.key}.{job.suffix}", job.audio(one))
                    tar.add(f"{one.key}.json", json_line(plain(one)))
