"""Which transcripts of a manifest does `consensus.reference: manifest` keep, when some of them are wrong?

    python -m tests.bench.living.reference FOLDER... [--builds FOLDER] [--set KEY=VALUE]

A folder has `manifest.jsonl` with the columns path, language, transcript and perhaps `condition`. A third of its
transcripts change places, by chance, among recordings of one language, and the folder is built. First: what became of
right and wrong ones in the build. Then, by what the systems heard in it, for each threshold and each way to make one
rate of the systems' rates: the share of right transcripts that is kept, and of wrong ones of three kinds (another's, a
fifth of the words replaced by other words, the second half missing). A build that is there is read and not run again.
"""

import argparse
import json
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.manifests.records import Hypothesis
from curation.pipeline.config import load_config
from curation.pipeline.run import build
from curation.stages.consensus.reference import SCORE, reference_scores
from curation.text.normalize import normalizer_for
from tests.bench.accuracy.build import rows

FIXED = ("engine.runtime=in-process", "tokenize=null", "denoise=null", "consensus.reference=manifest")
THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
WRONG = ("another's", "a fifth of the words", "half missing")
Row = dict[str, Any]
MERGED: dict[str, Callable[[Sequence[float]], float]] = {
    "least": min,
    "median": statistics.median,
    "mean": statistics.fmean,
}


@dataclass(frozen=True, slots=True)
class Case:
    """What the systems heard in a recording, its right transcript and wrong ones by kind."""

    language: str
    condition: str
    heard: list[Hypothesis]
    right: str
    wrong: dict[str, str]

    def rates(self, transcript: str) -> list[float]:
        """The rate of each system."""
        found = reference_scores(transcript, self.heard, normalizer_for(self.language))
        return [rate for name, rate in found.items() if name != SCORE]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--builds", type=Path)
    parser.add_argument("--set", action="append", default=[])
    chosen = parser.parse_args()
    found: list[Case] = []
    with tempfile.TemporaryDirectory() as temporary:
        for folder in chosen.folders:
            found += report(folder, (chosen.builds or Path(temporary)) / folder.name, chosen.set)
    for language in sorted({case.language for case in found}):
        mine = [case for case in found if case.language == language]
        table(language, mine)
        conditions = sorted({case.condition for case in mine})
        for condition in conditions if len(conditions) > 1 else ():
            table(f"{language}, {condition}", [case for case in mine if case.condition == condition])


def report(folder: Path, out: Path, settings: Sequence[str]) -> list[Case]:
    """Build a folder, and print what became of its transcripts."""
    truth = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    given = shuffled(truth)
    if not (out / "segments").exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        manifest = out.parent / f"{folder.name}.jsonl"
        lines = [{**row, "path": str((folder / row["path"]).resolve())} for row in given]
        manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        start = time.process_time()
        build(load_config(overrides=[*FIXED, *settings]), [str(manifest)], str(out))
        print(f"{folder.name}: {time.process_time() - start:.0f} CPU s")
    right = {str((folder / row["path"]).resolve()): row for row in truth}
    wrong = {str((folder / row["path"]).resolve()) for row, other in zip(truth, given, strict=True) if row != other}
    verdicts: Counter[tuple[str, str]] = Counter()
    seen: dict[str, list[Hypothesis]] = {}
    for row in rows(out, "segments"):
        place = "wrong" if row["path"] in wrong else "right"
        verdicts[place, f"{row['status']} {row['reason'] or ''}".strip()] += 1
        if row["hypotheses"]:
            seen[row["path"]] = [Hypothesis(item["system"], item["text"]) for item in row["hypotheses"]]
    for (place, verdict), count in sorted(verdicts.items()):
        print(f"{folder.name}: {place} transcript, {verdict}: {count}")
    heard_rows = [row for path, row in right.items() if path in seen]
    return [case(row, heard_rows, seen[str((folder / row["path"]).resolve())]) for row in heard_rows]


def shuffled(truth: Sequence[Row]) -> list[Row]:
    """The rows with the transcripts of each third one of a language moved on by one among these."""
    given = list(truth)
    for language in sorted({row["language"] for row in truth}):
        places = [place for place, row in enumerate(truth) if row["language"] == language][::3]
        random.Random(0).shuffle(places)  # noqa: S311
        for place, other in zip(places, [*places[1:], *places[:1]], strict=True):
            if truth[other]["transcript"] != truth[place]["transcript"]:
                given[place] = {**truth[place], "transcript": truth[other]["transcript"]}
    return given


def case(row: Row, every: Sequence[Row], heard: list[Hypothesis]) -> Case:
    """A recording with wrong transcripts of each kind, by a chance of its own."""
    chance = random.Random(row["path"])  # noqa: S311
    normalizer, text = normalizer_for(row["language"]), row["transcript"]
    others = [one["transcript"] for one in every if one["language"] == row["language"] and one["transcript"] != text]
    words = normalizer.units(text)
    pool = [word for other in others for word in normalizer.units(other)]
    replaced = list(words)
    for place in chance.sample(range(len(words)), max(1, round(len(words) / 5))):
        replaced[place] = chance.choice([word for word in pool if word != words[place]])
    wrong = (chance.choice(others), normalizer.joined(replaced), normalizer.joined(words[: (len(words) + 1) // 2]))
    return Case(row["language"], row.get("condition", ""), heard, text, dict(zip(WRONG, wrong, strict=True)))


def table(name: str, found: Sequence[Case]) -> None:
    """Shares below each threshold."""
    print(f"\n{name}: {len(found)} transcripts\n")
    print("| rate | transcript | " + " | ".join(f"< {limit:g}" for limit in THRESHOLDS) + " |")
    print("|---" * (2 + len(THRESHOLDS)) + "|")
    for way, merge in MERGED.items():
        for kind in ("right", *WRONG):
            rates = [merge(one.rates(one.right if kind == "right" else one.wrong[kind])) for one in found]
            shares = [sum(rate < limit for rate in rates) / len(rates) for limit in THRESHOLDS]
            print(f"| {way} | {kind} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")


if __name__ == "__main__":
    main()
