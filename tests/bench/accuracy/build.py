"""What the default build keeps of recordings whose truth is known: `python -m tests.bench.accuracy.build FOLDER...`

    --set KEY=VALUE   settings of the build, e.g. consensus.max_pwer=0.2
    --builds FOLDER   where the builds stay, one for each folder; a finished one is read and not run again
    --identify        languages are identified, and not those of the manifest

A folder has `manifest.jsonl` with the columns path, language, transcript and perhaps set, or recordings and
`reference.rttm`, who speaks when. For each of its sets: seconds, and the shares that are kept, and rejected by reason;
errors of the kept texts (characters for Chinese and Japanese, else words, normalised as for pWER) of the words in the
transcripts of the recordings that are kept in part, and how many of these errors are what the text lacks, for which a
rejected part of a recording suffices; seconds of utterances whose language is another than the manifest's. With a
reference: what diarization passes on and what is kept, as in `tests.bench.accuracy.diarization`, whether label and
voice agree included. Last, CPU seconds of the build, start and loading of the models included, for a second of audio.
One process, one thread for each model.
"""

import argparse
import json
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.dataset
from rapidfuzz.distance import Levenshtein

from curation.audio.files import read_wave
from curation.audio.wave import SAMPLE_RATE
from curation.pipeline.config import load_config
from curation.pipeline.run import build
from curation.text.normalize import normalizer_for
from tests.bench.accuracy.diarization import Case, purity
from tests.bench.inputs.conversations import read_rttm

FIXED = ("engine.runtime=in-process", "tokenize=null")
BY_DIARIZATION = ("decode", "diarize", "loudness")
"""Stages whose rejections come before an utterance is passed on."""
Row = dict[str, Any]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--builds", type=Path)
    parser.add_argument("--identify", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        for folder in chosen.folders:
            out = (chosen.builds or Path(temporary)) / folder.name
            source = without_languages(folder, out) if chosen.identify else folder / "manifest.jsonl"
            seconds = built(source if source.exists() else folder, out, chosen.set)
            report(folder, out)
            audio = sum(row["seconds"] for row in rows(out, "ledger"))
            cost = f"{seconds / audio:.3f} CPU s per second" if seconds else "built before"
            print(f"{folder.name}: {audio:.0f} s, {cost}\n", flush=True)


def without_languages(folder: Path, out: Path) -> Path:
    """A manifest beside the build that names the recordings only."""
    out.parent.mkdir(parents=True, exist_ok=True)
    manifest = out.with_name(f"{out.name}.jsonl")
    manifest.write_text("".join(json.dumps({"path": path}) + "\n" for path in transcripts(folder)), encoding="utf-8")
    return manifest


def built(source: Path, out: Path, settings: Sequence[str]) -> float:
    """CPU seconds of the build; 0 where it was there already."""
    if (out / "ledger").exists():
        return 0.0
    start = time.process_time()
    build(load_config(overrides=[*FIXED, *settings]), [str(source)], str(out))
    return time.process_time() - start


def rows(out: Path, part: str) -> list[Row]:
    """All rows of a part of the build."""
    found: list[Row] = pyarrow.dataset.dataset(out / part, format="parquet").to_table().to_pylist()
    return found


def report(folder: Path, out: Path) -> None:
    """The lines of a folder."""
    ledger = rows(out, "ledger")
    truth = transcripts(folder)
    spent: dict[str, Counter[str]] = defaultdict(Counter)
    for row in ledger:
        verdict = f"{row['status']} {row['reason'] or ''}".strip()
        spent[set_of(truth.get(str(Path(row["path"]).resolve()), {}), folder)][verdict] += row["seconds"]
    wrong = dict(errors(truth, rows(out, "shards"), folder))
    foreign = misidentified(truth, rows(out, "segments"), folder)
    for name, seconds in spent.items():
        total = sum(seconds.values())
        shares = ", ".join(f"{verdict} {part / total:.1%}" for verdict, part in seconds.most_common())
        print(f"{name}: {total:.0f} s: {shares}{wrong.get(name, '')}{foreign.get(name, '')}")
    if (folder / "reference.rttm").exists():
        passed = [row for row in ledger if is_passed_on(row)]
        for name, chosen in (("passed on", passed), ("kept", [row for row in passed if row["status"] == "kept"])):
            print(f"{folder.name}, {name}: {voices(folder, chosen)}")


def transcripts(folder: Path) -> dict[str, Row]:
    """Rows of the manifest by file; empty where there is none."""
    manifest = folder / "manifest.jsonl"
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.exists() else []
    return {str((folder / row["path"]).resolve()): row for row in map(json.loads, lines)}


def set_of(row: Row, folder: Path) -> str:
    """The set of a recording: that of the manifest, or folder and language."""
    return str(row.get("set") or f"{folder.name} {row.get('language', '')}".strip())


def errors(truth: dict[str, Row], shards: Iterable[Row], folder: Path) -> Iterator[tuple[str, str]]:
    """For each set, the error rate of its kept texts."""
    texts: dict[str, list[Row]] = defaultdict(list)
    for row in shards:
        texts[str(Path(row["path"]).resolve())].append(row)
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for path, utterances in texts.items():
        known = truth.get(path, {})
        if not known.get("transcript"):
            continue
        units = normalizer_for(known["language"]).units
        expected = units(known["transcript"])
        edits = Levenshtein.editops(expected, units(" ".join(r["text"] for r in sorted(utterances, key=begin))))
        total[set_of(known, folder)].update(
            all=len(edits), units=len(expected), lacking=sum(edit.tag == "delete" for edit in edits)
        )
    for name, counts in total.items():
        share = counts["all"] / counts["units"]
        yield name, f"; errors {counts['all']} of {counts['units']} = {share:.1%}, {counts['lacking']} lacking"


def misidentified(truth: dict[str, Row], segments: Iterable[Row], folder: Path) -> dict[str, str]:
    """For each set, the seconds that were heard as another language, by language."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for row in segments:
        known = truth.get(str(Path(row["path"]).resolve()), {})
        if row["language"] and known.get("language", row["language"]) != row["language"]:
            total[set_of(known, folder)][row["language"]] += row["end"] - row["start"]
    return {
        name: "; heard as " + ", ".join(f"{language} {part:.0f} s" for language, part in seconds.most_common())
        for name, seconds in total.items()
    }


def begin(row: Row) -> float:
    """Where an utterance begins."""
    return float(row["start"])


def is_passed_on(row: Row) -> bool:
    """Whether diarization made an utterance of it, whatever later stages said."""
    late = row["status"] == "rejected" and not str(row["reason"]).startswith(BY_DIARIZATION)
    return bool(row["utterance_id"]) and (row["status"] == "kept" or late)


def voices(folder: Path, chosen: Sequence[Row]) -> str:
    """Purity of utterances, and how much of the reference's speech of one person they are."""
    total: Counter[str] = Counter()
    for stem, truth in read_rttm(folder / "reference.rttm").items():
        mine = [row for row in chosen if Path(row["path"]).stem == stem]
        turns = [(row["start_sample"] / SAMPLE_RATE, row["end_sample"] / SAMPLE_RATE, row["speaker"]) for row in mine]
        (file,) = (file for file in folder.iterdir() if file.stem == stem)
        total.update(purity(Case(read_wave(file), truth, turns, [])))
    kept = max(total["kept"], 1)
    figures = {"cross-talk": total["crosstalk"] / kept, "other speaker": total["other"] / kept}
    figures |= {"recall": total["found"] / max(total["single"], 1), "label purity": total["pure"] / kept}
    return f"{kept / 100:.1f} s, " + ", ".join(f"{name} {share:.1%}" for name, share in figures.items())


if __name__ == "__main__":
    main()
