"""Questions about a corpus of ten million segments: seconds, CPU seconds and peak memory of each.

    python -m tests.bench.audit.questions --folder FOLDER    # FOLDER/a and FOLDER/b, 3.8 GB each; made where they lack
    python -m tests.bench.audit.questions --only diff why    # some of them

The corpora are those of `tests.bench.audit.corpora`. Each question runs in a process of its own, with the start of
Python and of its packages.
"""

import argparse
import json
import tempfile
from pathlib import Path

from curation.core.storage import Storage
from curation.manifests.index import FILE
from curation.manifests.marks.files import digest
from curation.manifests.segments import table as segments
from tests.bench.audit.corpora import AFTER, BEFORE, write_corpus
from tests.bench.audit.measured import measured

MARKS = 1_000


def questions(one: str, other: str, marks: Path, identity: str) -> list[list[str]]:
    """Commands, with a corpus, another build of the same recordings, a file of marks, and an id."""
    reason = ["--reason", "consensus.max_pwer"]
    return [
        ["why", one, identity],
        ["why", one, "r00001234.opus@300.5s"],
        ["whatif", one, "--set", "consensus.max_pwer=0.10"],
        ["sample", one, *reason, "-n", "500"],
        ["sample", one, "-n", "500"],
        ["sample", one, "--sort", "disagreement", "-n", "500"],
        ["top", one, "speakers"],
        ["top", one, "recordings"],
        ["top", one, "languages"],
        ["sql", one, "SELECT language, count(*) FROM segments WHERE text LIKE '%geku%' GROUP BY 1"],
        ["diff", one, other],
        ["marks", "import", one, str(marks)],
        ["marks", "list", one],
        ["audit", "estimate", one],
    ]


def corpus(folder: str, name: str, count: int) -> str:
    """A build below a folder, made where it is not there."""
    if not (out := Storage(f"{folder}/{name}")).exists(FILE):
        write_corpus(out, count, BEFORE if name == "a" else AFTER)
    return out.root


def marked(corpus: str, file: Path) -> str:
    """Write marks of a random sample, every tenth wrong; an id."""
    found = json.loads(measured("sample", corpus, "--status", "kept", "-n", str(MARKS), "--json").said)
    lines = [
        {
            "v": 1,
            "id": row["id"],
            "kind": "reject" if number % 10 == 0 else "text",
            "verdict": "wrong" if number % 10 == 0 else "right",
            "text_seen": digest(row["text"]),
            "found": "random",
            "sample": {"stratum": row["stratum"], "weight": row["weight"], "size": row["size"]},
        }
        for number, row in enumerate(found)
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(found[0]["id"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--segments", type=int, default=10_000_000)
    parser.add_argument("--folder", help="where the corpora are, or are left; a temporary folder by default")
    parser.add_argument("--only", nargs="*", default=[""], help="questions that begin so")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder, marks = arguments.folder or temporary, Path(temporary, "marks.jsonl")
        one, other = corpus(folder, "a", arguments.segments), f"{folder}/b"
        size = sum(path.stat().st_size for path in Path(one, segments.FOLDER).iterdir())
        print(f"{arguments.segments:,} segments, {size / 1e6:,.0f} MB", flush=True)
        for command in questions(one, other, marks, marked(one, marks)):
            if " ".join(command).startswith(tuple(arguments.only)):
                if other in command:
                    corpus(folder, "b", arguments.segments)
                shown = " ".join(part for part in command if part not in {one, other, str(marks)})
                print(f"{shown:<60} {measured(*command, '--json')}", flush=True)


if __name__ == "__main__":
    main()
