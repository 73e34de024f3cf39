"""How many copies `curation dedup` finds, by what was done to them, and what it takes for a copy that is none.

    python -m tests.bench.living.duplicates FOLDER CACHE

FOLDER has recordings and `manifest.jsonl`; CACHE keeps what models said. A copy is found where it is in the group of
its original. All utterances are compared with one another, as in a corpus; codes and voices are those of the shipped
models, texts of English what Whisper tiny hears; others have none.
"""

import argparse
import itertools
import pickle
import time
from collections import Counter, defaultdict
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


def report(rows: list[Row], pairs: dict[tuple[int, int], Likeness], limits: Limits) -> None:
    """Print recall by change, and precision of all pairs that are in one group."""
    said: list[Said] = [row["said"] for row in rows]
    group = groups_of(len(rows), pairs, limits)
    original = {item.source: place for place, item in enumerate(said) if not item.change}
    found: dict[str, list[bool]] = defaultdict(list)
    candidates: dict[str, list[bool]] = defaultdict(list)
    for place, item in enumerate(said):
        if item.change:
            first = original[item.source]
            found[item.change].append(group[place] == group[first])
            candidates[item.change].append((first, place) in pairs)
    print("| copies | of | candidates | found |\n|---|---|---|---|")
    for change in CHANGES:
        shares = (f"{np.mean(values[change]):.0%}" for values in (candidates, found))
        print(f"| {change} | {len(found[change])} | {' | '.join(shares)} |")
    print(f"| all | {sum(map(len, found.values()))} | | {np.mean([*itertools.chain(*found.values())]):.0%} |")
    kinds: Counter[str] = Counter()
    members: dict[int, list[Said]] = defaultdict(list)
    for place, item in enumerate(said):
        members[group[place]].append(item)
    for mine in members.values():
        kinds.update(kind(one, two) for one, two in itertools.combinations(mine, 2))
    right, total = kinds["copy"], sum(kinds.values())
    print(f"\npairs in one group: {total}, precision {right / max(1, total):.1%}; {dict(kinds)}")
    every = itertools.combinations(range(len(said)), 2)
    takes = [(one, two) for one, two in every if kind(said[one], said[two]) == "take"]
    wrong = sum(group[one] == group[two] for one, two in takes)
    print(f"takes of a sentence by a voice: {len(takes)} pairs, {wrong} in one group; {len(pairs)} candidates in all")


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
    pairs = pairs_of(rows, Sketching(length=arguments.length))
    report(rows, pairs, Limits(codes=arguments.codes, words=arguments.words))
    minutes, spent = sum(row["seconds"] for row in rows) / 60, time.process_time() - start
    print(f"{len(rows)} utterances, {minutes:.0f} min, compared in {spent:.1f} CPU s")


if __name__ == "__main__":
    main()
