"""How right is the voted text, when systems spell numbers differently and err now and then?

    python -m tests.bench.accuracy.vote FOLDER... [--save FILE] [--against FILE]

FOLDER holds a `manifest.jsonl` with transcripts (`transcript`, `language`), or `.lab` files of English. Each sentence
is heard by three simulated systems: as it is, and with a number in it of each kind of `tests.support.texts.spelled`,
each spelled by each system as chance has it. One word in 20 is another, lost or twice, a number in 20 is another, one
system writes no marks and capitals. `--save` keeps what the vote made of them, and `--against` compares with what was
saved by another version: sentences whose text changed, to fewer or to more errors, sentences kept by pWER, and texts
with a number that no system wrote.
"""

import argparse
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from rapidfuzz.distance import Levenshtein

from curation.manifests.records import Hypothesis
from curation.stages.consensus.agreement import agree, pairwise_wer
from curation.text.normalize import normalizer_for
from tests.support.texts.spelled import CHINESE, ENGLISH

ERRORS = 0.05
AS_IT_IS = "as it is"
THRESHOLD = 0.15


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--save", type=Path)
    parser.add_argument("--against", type=Path)
    options = parser.parse_args()
    heard = [case for folder in options.folders for case in cases(folder)]
    start = time.process_time()
    found = [result(case) for case in heard]
    print(f"{(time.process_time() - start) / len(heard) * 1e6:.0f} µs of CPU for an utterance of three systems\n")
    if options.save:
        options.save.write_text("\n".join(json.dumps(row) for row in found), encoding="utf-8")
    if options.against:
        print_table([json.loads(line) for line in options.against.read_text().split("\n")], found)


def cases(folder: Path) -> Iterator[dict]:
    """Sentences with their reference and three hypotheses; the same in every run."""
    for language, sentence in sentences(folder):
        chance = random.Random(sentence)  # noqa: S311
        yield case(language, AS_IT_IS, list(sentence) if language == "zh" else sentence.split(), [], [], chance)
        for kind, (spell, values) in (CHINESE if language == "zh" else ENGLISH).items():
            words = list(sentence) if language == "zh" else sentence.split()
            place, value = chance.randrange(len(words) + 1), chance.choice(values)
            meant = [chance.choice(values) if chance.random() < ERRORS else value for _ in range(3)]
            numbers = [chance.choice(spell(one)) for one in meant]
            yield case(language, kind, words[:place], [spell(value)[0], *numbers], words[place:], chance)


def sentences(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.lab")):
        yield from (("en", one) for one in split(path.read_text(encoding="utf-8")))
    for path in sorted(folder.rglob("manifest.jsonl")):
        for line in path.read_text(encoding="utf-8").split("\n"):
            row = json.loads(line) if line.strip() else {}
            if row.get("language") in {"en", "zh"} and row.get("transcript"):
                chinese = re.search("[\u4e00-\u9fff]", row["transcript"])  # the manifests have a wrong language or two
                yield from (("zh" if chinese else "en", one) for one in split(row["transcript"]))


def split(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"(?<=[.?!。？！])\s*", text) if len(one.strip()) > 8]  # noqa: RUF001


def case(
    language: str, kind: str, before: list[str], numbers: list[str], after: list[str], chance: random.Random
) -> dict:
    """`numbers` as the reference and the three systems write it; empty where there is none."""
    join = "" if language == "zh" else " "
    heard = [
        join.join([*misheard(before, chance), *numbers[place : place + 1], *misheard(after, chance)])
        for place in (1, 2, 3)
    ]
    bare = chance.randrange(3)
    heard[bare] = re.sub(r"(?<!\d)[,.!?](?=\s|$)|[,.!?]$", "", heard[bare]).lower() if language == "en" else heard[bare]
    return {
        "language": language,
        "kind": kind,
        "reference": join.join([*before, *numbers[:1], *after]),
        "heard": heard,
    }


def misheard(words: list[str], chance: random.Random) -> list[str]:
    """Some words are replaced by another of the text, lost or repeated."""
    out: list[str] = []
    for word in words:
        wrong = chance.random() < ERRORS and word.isalpha()
        out += chance.choice([[chance.choice(words)], [], [word, word]]) if wrong else [word]
    return out


def result(one: dict) -> dict:
    normalizer = normalizer_for(one["language"])
    heard = [Hypothesis(f"s{place}", text, one["language"], 0.9) for place, text in enumerate(one["heard"])]
    found = agree(heard, normalizer, 5.0)
    return one | {"text": found.combined.text, "pwer": pairwise_wer(found.rates)}


def print_table(before: list[Mapping], after: list[Mapping]) -> None:
    """Errors are counted in the units of this version, for both."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for old, new in zip(before, after, strict=True):
        assert old["heard"] == new["heard"], "the saved file is of other sentences"
        kind = new["kind"]
        if kind == AS_IT_IS:
            kind += ", with numbers" if numbers_of(new["reference"], new["language"]) else ", no numbers"
        else:
            tally(counts[new["language"], "all with a number"], old, new)
        tally(counts[new["language"], kind], old, new)
    names = [
        "sentences",
        "changed",
        "pWER changed",
        "better",
        "worse",
        "errors before",
        "errors after",
        "kept before",
        "kept after",
    ]
    names += ["no system wrote it: before", "after"]
    print("| language | kind | " + " | ".join(names) + " |\n|---" * 1 + "|---" * (len(names) + 1) + "|")
    for (language, kind), row in sorted(counts.items()):
        print(f"| {language} | {kind} | " + " | ".join(str(row[name]) for name in names) + " |")


def tally(row: Counter[str], old: Mapping, new: Mapping) -> None:
    units = normalizer_for(new["language"]).units
    reference = units(new["reference"])
    were, are = (Levenshtein.distance(reference, units(one["text"])) for one in (old, new))
    row["sentences"] += 1
    row["changed"] += old["text"] != new["text"]
    row["pWER changed"] += abs(old["pwer"] - new["pwer"]) > 1e-9
    row["better"] += are < were
    row["worse"] += are > were
    row["errors before"] += were
    row["errors after"] += are
    row["kept before"] += old["pwer"] < THRESHOLD
    row["kept after"] += new["pwer"] < THRESHOLD
    numbers = [numbers_of(text, new["language"]) for text in new["heard"]]
    row["no system wrote it: before"] += not numbers_of(old["text"], new["language"]) <= set().union(*numbers)
    row["after"] += not numbers_of(new["text"], new["language"]) <= set().union(*numbers)


def numbers_of(text: str, language: str) -> set[tuple[str, ...]]:
    """The normal forms of the numbers of a text."""
    return {span.key for span in normalizer_for(language).spans(text) if span.number}


if __name__ == "__main__":
    main()
