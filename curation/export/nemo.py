"""NeMo: a manifest beside audio files, or tar files with a manifest for each.

Tarred: `audio_0.tar` with `sharded_manifests/manifest_0.json`, and so on, `tarred_audio_manifest.json` with all rows,
`metadata.yaml`. Members are flat; NeMo takes `-sub` in a name for a repetition, so no name has it (`ids.safe`).
"""

import shutil
import tempfile
from typing import Any

from curation.export.corpus import Utterance
from curation.export.folder import json_line
from curation.export.shards import Job, tar_file
from curation.text.punctuation import MARKS


def write(job: Job) -> None:
    """`manifest.json` and `audio/`; its paths are relative to it, as NeMo resolves them."""
    with job.folder.open("manifest.json") as manifest:
        for one, name in job.in_files():
            manifest.write(json_line(entry(one, name)))


def write_tarred(job: Job) -> None:
    """Tar files with their manifests."""
    parts = 0
    with tempfile.TemporaryFile() as every:
        for part, utterances in job.parts():
            parts += 1
            with (
                job.folder.open(f"sharded_manifests/manifest_{part}.json") as manifest,
                tar_file(job.folder, f"audio_{part}.tar") as tar,
            ):
                for one in utterances:
                    name = f"{one.key}.{job.suffix}"
                    tar.add(name, job.audio(one))
                    line = json_line({**entry(one, name), "shard_id": part})
                    manifest.write(line)
                    every.write(line)
        every.seek(0)
        with job.folder.open("tarred_audio_manifest.json") as manifest:
            shutil.copyfileobj(every, manifest)
    metadata = f"conversion_config:\n  num_shards: {parts}\nnum_samples: {job.count}\n"
    job.folder.write("metadata.yaml", metadata.encode())


def entry(one: Utterance, name: str) -> dict[str, Any]:
    """A row of a manifest. Languages, speaker and voice are left out where they are unknown."""
    language = one.row["language"]
    known = {"lang": language, "source_lang": language, "target_lang": language}
    known |= {name: one.row[name] for name in ("speaker", "voice_id")}
    return {
        "audio_filepath": name,
        "text": one.text,
        "duration": one.seconds,
        **{name: value for name, value in known.items() if value},
        "pnc": "yes" if any(char in MARKS or char.isupper() for char in one.text) else "no",
    }
