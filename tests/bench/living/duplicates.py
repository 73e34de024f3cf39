"""How many copies `curation dedup` finds, by what was done to them, and what it takes for a copy that is none.

    python -m tests.bench.living.duplicates FOLDER CACHE

FOLDER has recordings and `manifest.jsonl`; CACHE keeps what models said. A copy is found where it is in the group of
its original, in a corpus of all originals and of the copies of its kind. Codes and voices are those of the shipped
models, texts of English what Whisper tiny hears; others have none.
"""

import argparse
import itertools
import pickle
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from faster_whisper import WhisperModel

from curation.audio.wave import SAMPLE_RATE
from curation.dedup.find import Alike, Limits
from curation.dedup.likeness import Likeness, likeness
from curation.dedup.search import COLUMNS, Search, Sketching
from curation.models.store import resolve
from curation.pipeline.config import load_config
from curation.stages.diarize.campplus.encoder import load_encoder
from curation.tokenize.pair import load_tokenizers
from tests.bench.inputs.duplicates_data import CHANGES, Said, utterances

Row = dict[str, Any]


def heard(folder: Path, cache: Path) -> list[Row]:
    """What models say of each utterance; what they have said before is in the cache."""
    torch.set_num_threads(1)
    rows: list[Row] = pickle.loads(cache.read_bytes()) if cache.exists() else []  # noqa: S301 - a file of this script
    tokenizers, encoder = load_tokenizers(load_config().tokenize), load_encoder("campplus")
    assert tokenizers is not None
    english = WhisperModel(str(resolve("whisper-tiny.en")), cpu_threads=1, compute_type="int8")
    for said in itertools.islice(utterances(folder), len(rows), None):
        segments = () if "_zh_" in said.source else english.transcribe(said.wave, beam_size=1)[0]
        rows.append(
            {
                "said": Said(said.source, said.change, np.zeros(0, np.float32), said.text, said.sentence),
                "seconds": len(said.wave) / SAMPLE_RATE,
                "codes": tokenizers.content.encode([said.wave])[0],
                "voice": encoder.embed([said.wave])[0],
                "text": "".join(segment.text for segment in segments),
            }
        )
        if len(rows) % 50 == 0:
            cache.write_bytes(pickle.dumps(rows))
    cache.write_bytes(pickle.dumps(rows))
    return rows


def pairs_of(rows: list[Row], sketching: Sketching) -> dict[tuple[int, int], Likeness]:
    """All candidates, with how alike they are."""
    with Search(sketching) as search:
        names = [str(number) for number in range(len(rows))]
        columns = [names, names, *([row[name] for row in rows] for name in COLUMNS[2:])]
        search.add(pa.table([pa.array(column) for column in columns], names=COLUMNS))
        return {(one.place, two.place): likeness(one, two) for one, two in search.pairs()}


def groups_of(count: int, pairs: dict[tuple[int, int], Likeness], limits: Limits) -> list[int]:
    """The first one of the group of each utterance."""
    alike = Alike()
    for (one, two), found in pairs.items():
        if limits.met_by(found):
            alike.add(one, two, found)
    return [alike.first(place) for place in range(count)]


def report(rows: list[Row], sketching: Sketching, limits: Limits) -> None:
    """Print, for each change, what is found in a corpus of all originals and takes and the copies with that change."""
    print("| copies | of | candidates | found | pairs of other utterances |\n|---|---|---|---|---|")
    for change in CHANGES:
        mine = [row for row in rows if row["said"].change in {"", change}]
        said: list[Said] = [row["said"] for row in mine]
        original = {item.source: place for place, item in enumerate(said) if not item.change}
        copies = [(original[item.source], place) for place, item in enumerate(said) if item.change]
        pairs = pairs_of(mine, sketching)
        group = groups_of(len(mine), pairs, limits)
        every = itertools.combinations(range(len(said)), 2)
        kinds = Counter(kind(said[one], said[two]) for one, two in every if group[one] == group[two])
        shares = [np.mean([one in pairs for one in copies]), np.mean([group[one] == group[two] for one, two in copies])]
        wrong = f"{kinds['take']} takes, {kinds['other']} others"
        print(f"| {change} | {len(copies)} | {shares[0]:.0%} | {shares[1]:.0%} | {wrong} |")
    sentences = Counter(row["said"].sentence for row in rows if row["said"].sentence and not row["said"].change)
    takes = sum(count * (count - 1) // 2 for count in sentences.values())
    print(f"\nof {takes} pairs of takes of a sentence by a voice, in each corpus")


def kind(one: Said, two: Said) -> str:
    """What a pair of utterances is."""
    if one.source == two.source:
        return "copy"
    return "take" if one.sentence and one.sentence == two.sentence else "other"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("cache", type=Path)
    parser.add_argument("--codes", type=float, default=Limits().codes)
    parser.add_argument("--words", type=float, default=Limits().words)
    parser.add_argument("--length", type=int, default=Sketching().length)
    arguments = parser.parse_args()
    rows = heard(arguments.folder, arguments.cache)
    start = time.process_time()
    report(rows, Sketching(length=arguments.length), Limits(codes=arguments.codes, words=arguments.words))
    minutes, spent = sum(row["seconds"] for row in rows) / 60, time.process_time() - start
    print(f"{len(rows)} utterances, {minutes:.0f} min, compared in {spent:.1f} CPU s")


if __name__ == "__main__":
    main()
