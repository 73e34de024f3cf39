"""What five ASR systems hear in the utterances of `calibration_data`, kept in a work folder.

The systems of the default preset, Whisper base with greedy search, and PocketSphinx with narrow beams (1 s instead of
4 s for an utterance in noise, and more errors): the fourth resembles the first, the fifth is far worse than the others.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from curation.audio.wave import SAMPLE_RATE
from curation.manifests.records import Hypothesis
from curation.models.store import resolve
from curation.stages.transcribe.base import SystemConfig
from curation.stages.transcribe.pocketsphinx import PocketSphinx, PocketSphinxConfig
from curation.stages.transcribe.registry import build_system
from curation.stages.transcribe.stage import TranscribeConfig
from curation.stages.transcribe.whisper import WhisperConfig
from tests.bench.inputs.calibration_data import Utterance, utterances

FIVE: list[SystemConfig] = [
    *TranscribeConfig().systems,
    WhisperConfig(name="whisper-base-greedy", model="whisper-base", beam_size=1),
    PocketSphinxConfig(),
]


def load_utterances(folder: Path) -> list[Utterance]:
    """All utterances in a random order that is always the same; made at the first call."""
    listing = folder / "utterances.json"
    (folder / "waves").mkdir(parents=True, exist_ok=True)
    if not listing.exists():
        rows = []
        for item in utterances():
            soundfile.write(folder / "waves" / f"{item.id}.flac", item.wave, SAMPLE_RATE, subtype="PCM_16")
            rows.append({**asdict(item), "wave": None})
        listing.write_text(json.dumps(rows, indent=1))
    rows = json.loads(listing.read_text())
    order = np.random.default_rng(0).permutation(len(rows))
    return [
        Utterance(**{**rows[i], "wave": soundfile.read(folder / "waves" / f"{rows[i]['id']}.flac", dtype="float32")[0]})
        for i in order
    ]


def heard(folder: Path, material: Sequence[Utterance], config: SystemConfig) -> dict[str, Hypothesis]:
    """By utterance, the hypotheses of one system; those that the folder has not yet are made."""
    file = folder / f"{config.name}.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    found = {line.pop("id"): Hypothesis(**line) for line in lines}
    missing = [item for item in material if item.id not in found]
    if missing:
        system = _load(config)
        with file.open("a", encoding="utf-8") as out:
            for item in missing:
                found[item.id] = system.transcribe([item.wave], ["en"])[0]
                out.write(json.dumps({"id": item.id, **asdict(found[item.id]), "words": []}) + "\n")
                out.flush()
    return found


def _load(config: SystemConfig) -> Any:
    system: Any = build_system(config)
    system.load()
    if isinstance(system, PocketSphinx):
        from pocketsphinx import Decoder

        folder = resolve(config.model)
        system._decoder = Decoder(
            hmm=str(folder / "en-us"),
            lm=str(folder / "en-us.lm.bin"),
            dict=str(folder / "cmudict-en-us.dict"),
            loglevel="FATAL",
            maxhmmpf=3000,
            maxwpf=5,
        )
    return system


if __name__ == "__main__":
    work = Path(sys.argv[1])
    for section in FIVE:
        heard(work, load_utterances(work), section)
