"""How many copies `curation dedup` finds, by what was done to them, and what it takes for a copy that is none.

    python -m tests.bench.living.duplicates FOLDER... --prompts UNPACKED --cache CACHE

Each FOLDER has recordings and `manifest.jsonl`; UNPACKED holds the prompts; CACHE keeps what models said. A copy is
found where it is in the group of its original, in a corpus of all originals and of the copies of its kind. Texts are
what Whisper base hears in each copy, word times those of `punctuate`, codes and voices those of the shipped models.
With `--part 0 --parts 2` the models hear every second original only, for two processes at once; with `--cached` none,
and the table is of what was heard before.
"""

import argparse
import hashlib
import itertools
import pickle
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from faster_whisper import WhisperModel

from curation.audio.wave import SAMPLE_RATE
from curation.dedup.find import Alike, Limits
from curation.dedup.likeness import Likeness, likeness
from curation.dedup.search import Search, Sketching
from curation.dedup.words import numbers_and_times
from curation.manifests.records import Recording, Segment, Source
from curation.manifests.schemas import SHARDS
from curation.models.store import resolve
from curation.pipeline.config import load_config
from curation.stages.diarize.campplus.encoder import load_encoder
from curation.stages.punctuate.stage import Punctuate
from curation.text.chinese_script import in_script
from curation.tokenize.pair import load_tokenizers
from tests.bench.inputs.duplicates_data import CHANGES, PROMPT, Said, changed, originals

LEAST = SAMPLE_RATE
"""Samples of an utterance."""
OTHER = "others"
SETTINGS = {
    "found": Limits(),
    "`--speed 0.02`": Limits(speed=0.02),
    "and `--rhythm-ms 35`": Limits(speed=0.02, rhythm_ms=35.0),
}

Row = dict[str, Any]


def heard(arguments: argparse.Namespace) -> list[Row]:
    """What models say of each utterance, with its copies: a file of the cache for each original."""
    torch.set_num_threads(1)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    hearing, rows = None if arguments.cached else Hearing(), list[Row]()
    for number, original in enumerate(originals(arguments.folders, arguments.prompts)):
        file = arguments.cache / f"{hashlib.sha256(original.source.encode()).hexdigest()[:16]}.pickle"
        if hearing and not file.exists() and number % arguments.parts == arguments.part:
            said = [hearing.row(copy) for copy in changed(original)] if len(original.wave) >= LEAST else []
            file.write_bytes(pickle.dumps(said))
        if file.exists():
            rows += pickle.loads(file.read_bytes())  # noqa: S301 - a file of this script
    return rows


class Hearing:
    """The models of a build that give what is compared: words with their times, a voice, codes."""

    def __init__(self) -> None:
        tokenizers = load_tokenizers(load_config().tokenize)
        assert tokenizers is not None
        self.content, self.encoder, self.punctuate = tokenizers.content, load_encoder("campplus"), Punctuate()
        self.punctuate.setup()
        self.whisper = WhisperModel(str(resolve("whisper-base")), cpu_threads=1, compute_type="int8")

    def row(self, said: Said) -> Row:
        """What they say."""
        segments, _ = self.whisper.transcribe(said.wave, language=said.language, beam_size=1, temperature=0.0)
        text = in_script("".join(segment.text for segment in segments).strip(), "simplified")
        segment = Segment(0, len(said.wave), audio=said.wave, text=text, language=said.language)
        self.punctuate.process([Recording(Source("", ""), segments=[segment])])
        return {
            "said": replace(said, wave=np.zeros(0, np.float32)),
            "seconds": len(said.wave) / SAMPLE_RATE,
            "codes": self.content.encode([said.wave])[0],
            "voice": self.encoder.embed([said.wave])[0],
            "text": segment.text,
            "words": [(word.text, word.start / SAMPLE_RATE, word.end / SAMPLE_RATE) for word in segment.words],
        }


def pairs_of(rows: list[Row], sketching: Sketching) -> dict[tuple[int, int], Likeness]:
    """All candidates, with how alike they are."""
    with Search(sketching) as search:
        names = [str(number) for number in range(len(rows))]
        columns = {name: [row[name] for row in rows] for name in ("seconds", "codes", "voice", "text")}
        timed = [[dict(zip(("text", "start", "end"), word, strict=True)) for word in row["words"]] for row in rows]
        words, times = numbers_and_times(pa.array(timed, SHARDS.field("words").type))
        search.add(pa.table({"id": names, "utterance": names, **columns, "words": words, "times": times}))
        return {(one.place, two.place): likeness(one, two) for one, two in search.pairs()}


def groups_of(count: int, pairs: dict[tuple[int, int], Likeness], limits: Limits) -> list[int]:
    """The first one of the group of each utterance."""
    alike = Alike()
    for (one, two), found in pairs.items():
        if limits.met_by(found):
            alike.add(one, two, found)
    return [alike.first(place) for place in range(count)]


def report(rows: list[Row]) -> None:
    """Print, for each change, what is found in a corpus of all originals and takes and the copies with that change."""
    print(f"| copies | of | candidates | {' | '.join(SETTINGS)} | pairs of others |\n|{'---|' * (4 + len(SETTINGS))}")
    for change in CHANGES:
        mine = [row for row in rows if row["said"].change in {"", change}]
        said: list[Said] = [row["said"] for row in mine]
        original = {item.source: place for place, item in enumerate(said) if not item.change}
        copies = [(original[item.source], place) for place, item in enumerate(said) if item.change]
        pairs = pairs_of(mine, Sketching())
        groups = [groups_of(len(mine), pairs, limits) for limits in SETTINGS.values()]
        together = itertools.combinations(range(len(said)), 2)
        others = sum(groups[0][a] == groups[0][b] and kind(said[a], said[b]) == OTHER for a, b in together)
        shares = [np.mean([one in pairs for one in copies])]
        shares += [np.mean([group[one] == group[two] for one, two in copies]) for group in groups]
        print(f"| {change} | {len(copies)} | {' | '.join(f'{share:.0%}' for share in shares)} | {others} |")
    report_takes([row for row in rows if not row["said"].change])


def report_takes(rows: list[Row]) -> None:
    """Print which pairs of originals are taken for copies."""
    print(f"\n| pairs of | | candidates | {' | '.join(SETTINGS)} |\n|{'---|' * (3 + len(SETTINGS))}")
    pairs = pairs_of(rows, Sketching())
    every = list(itertools.combinations(range(len(rows)), 2))
    named = [kind(rows[one]["said"], rows[two]["said"]) for one, two in every]
    for name in sorted({*named}):
        mine = [pairs.get(pair) for pair, other in zip(every, named, strict=True) if name == other]
        found = [pair for pair in mine if pair is not None]
        met = [sum(limits.met_by(pair) for pair in found) for limits in SETTINGS.values()]
        print(f"| {name} | {len(mine)} | {len(found)} | {' | '.join(map(str, met))} |")


def kind(one: Said, two: Said) -> str:
    """What a pair of utterances is."""
    if one.source == two.source:
        return "copies"
    names = {item.sentence.rpartition("-")[0] for item in (one, two)}
    if one.sentence.startswith(PROMPT) and one.sentence == two.sentence:
        return f"takes of a person ({one.language})"
    if "" in names or one.sentence.rpartition("-")[2] != two.sentence.rpartition("-")[2]:
        return OTHER
    return f"takes of {names.pop()}" if len(names) == 1 else "a sentence by two synthetic voices"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--prompts", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--part", type=int, default=0)
    parser.add_argument("--parts", type=int, default=1)
    parser.add_argument("--cached", action="store_true")
    arguments = parser.parse_args()
    start = time.process_time()
    rows = heard(arguments)
    minutes = sum(row["seconds"] for row in rows) / 60
    print(f"{len(rows)} utterances, {minutes:.0f} min, heard in {time.process_time() - start:.0f} CPU s\n")
    report(rows)


if __name__ == "__main__":
    main()
