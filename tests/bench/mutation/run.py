"""How many small defects the tests notice: fresh mutants of the modules, each run against the tests nearest to it.

    python -m tests.bench.mutation.run                                   # the modules of modules.yaml
    python -m tests.bench.mutation.run manifests/shards.py --sample 50   # some, more thoroughly

Prints the share that was killed for each module, and writes `mutation.json` and `mutation.md` with the survivors. The
same seed draws the same mutants. `equivalents.yaml` lists mutants that no test can notice, with the reason; they do
not count. The mutants live in a copy of the repository.

Why a tool of our own: mutmut (3.8) finds no test for any mutant here, since it takes `manifests/x.py` for the module
`manifests.x` (the packages are linked into `curation`); cosmic-ray (8.7) makes 192 mutants of the 83 lines of
`manifests/speakers.py`, most of them of the kind `a << b` for `a * b`, deletes no statement and has no samples.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.bench.mutation.mutants import Mutant, mutants_of

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
FOLDERS = ("curation", "manifests", "stages", "tokenize", "train", "tests")
FIRST_SECONDS = 900.0


@dataclass
class Result:
    """What became of a mutant."""

    mutant: Mutant
    outcome: str
    seconds: float
    equivalent: str = ""
    """Why no test can notice it."""

    @property
    def killed(self) -> bool:
        """Whether a test failed, or did not end."""
        return self.outcome != "passed"


class Server:
    """The process that runs tests in the copy of the repository."""

    def __init__(self, tree: Path) -> None:
        self._log = str(tree / "mutant.log")
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.mutation.server"],
            cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, files: list[str], seconds: float) -> tuple[str, float]:
        """Outcome of the tests and how long they took."""
        ask, answer = self._process.stdin, self._process.stdout
        assert ask is not None
        assert answer is not None
        print(json.dumps({"files": files, "seconds": seconds, "log": self._log}), file=ask, flush=True)
        found: dict[str, Any] = json.loads(answer.readline())
        return found["outcome"], found["seconds"]

    def output(self) -> str:
        """What the last tests printed."""
        return Path(self._log).read_text(errors="replace")

    def close(self) -> None:
        """End the process."""
        self._process.stdin.close()
        self._process.wait()


def nearest_tests(module: str) -> list[str]:
    """The tests that carry the module's name, else all of the folder that mirrors its package."""
    folder = Path("tests", module).parent
    named = folder / f"test_{Path(module).stem}.py"
    found = (
        [named] if (ROOT / named).exists() else [path.relative_to(ROOT) for path in (ROOT / folder).glob("test_*.py")]
    )
    return sorted(str(path) for path in found)


Key = tuple[str, str, str, str]


def test_module(
    server: Server, tree: Path, module: str, tests: list[str], chosen: list[Mutant], reasons: dict[Key, str]
) -> list[Result]:
    """Run mutants of a module; `reasons` says which nobody can notice. Exits where the tests fail without any."""
    path = tree / module
    source = path.read_text(encoding="utf-8")
    outcome, baseline = server.run(tests, FIRST_SECONDS)
    if outcome != "passed":
        msg = f"{module}: its tests do not pass without a mutant ({outcome}):\n{server.output()[-4000:]}"
        raise SystemExit(msg)
    results = []
    for number, mutant in enumerate(sorted(chosen, key=lambda item: item.line)):
        path.write_text(mutant.source, encoding="utf-8")
        os.utime(path, (number + 1, number + 1))  # compiled code is taken to be current by the second
        outcome, seconds = server.run(tests, 3 * baseline + 30)
        results.append(Result(mutant, outcome, seconds, reasons.get(mutant.key, "")))
        if outcome == "passed":
            print(f"  survived{' (equivalent)' if mutant.key in reasons else ''}: {mutant}", flush=True)
    path.write_text(source, encoding="utf-8")
    return results


def drawn(mutants: list[Mutant], count: int, seed: str) -> list[Mutant]:
    """A sample with as many mutants of each kind as there are: no kind crowds the others out."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    kinds: dict[str, list[Mutant]] = {}
    for mutant in chance.sample(mutants, len(mutants)):
        kinds.setdefault(mutant.kind, []).append(mutant)
    turns = [mutant for turn in itertools.zip_longest(*kinds.values()) for mutant in turn if mutant is not None]
    return turns[:count]


def equivalents() -> dict[Key, str]:
    """The mutants that nobody can notice, with the reason."""
    listed: list[dict[str, str]] = yaml.safe_load((HERE / "equivalents.yaml").read_text()) or []
    return {(item["module"], item["in"], item["was"], item["now"]): item["why"] for item in listed}


def copy_tree(tree: Path) -> None:
    """Copy what the tests need; the links in `curation` are kept."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "docs"):
        source = ROOT / name
        shutil.copytree(source, tree / name) if source.is_dir() else shutil.copy(source, tree / name)


def counted(results: list[Result]) -> tuple[int, int]:
    """Killed, and all that count."""
    real = [result for result in results if not result.equivalent]
    return sum(result.killed for result in real), len(real)


def report(results: dict[str, list[Result]]) -> str:
    """A table of the modules and a list of the survivors, as Markdown."""
    lines = ["| module | killed | of | share | equivalent |", "|---|---|---|---|---|"]
    everything = [result for found in results.values() for result in found]
    for name, found in [*results.items(), ("all", everything)]:
        killed, count = counted(found)
        share = f"{killed / count:.0%}" if count else ""
        lines.append(f"| {name} | {killed} | {count} | {share} | {len(found) - count} |")
    survivors = [result for result in everything if not result.killed]
    lines += ["", "Survivors:", ""]
    lines += [f"- {item.mutant}{f' (equivalent: {item.equivalent})' if item.equivalent else ''}" for item in survivors]
    kinds = Counter(item.mutant.kind for item in survivors if not item.equivalent)
    lines += ["", "By kind: " + ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())]
    return "\n".join(lines) + "\n"


def plain(result: Result) -> dict[str, Any]:
    """For JSON, without the source."""
    values = {**asdict(result), **asdict(result.mutant)}
    return {name: value for name, value in values.items() if name not in {"mutant", "source"}}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="files from the root of the repository; none: those of modules.yaml")
    parser.add_argument("--sample", type=int, default=20, help="mutants of each module, at most (20)")
    parser.add_argument("--seed", type=int, default=0, help="draws the sample (0)")
    parser.add_argument("--output", type=Path, default=Path(), help="folder of mutation.json and mutation.md (here)")
    arguments = parser.parse_args()
    known: dict[str, list[str]] = yaml.safe_load((HERE / "modules.yaml").read_text())
    reasons = equivalents()
    results: dict[str, list[Result]] = {}
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copy_tree(tree)
        server = Server(tree)
        for module in arguments.modules or known:
            tests = known.get(module) or nearest_tests(module)
            mutants = mutants_of(module, (tree / module).read_text(encoding="utf-8"))
            chosen = drawn(mutants, arguments.sample, f"{arguments.seed} {module}")
            results[module] = test_module(server, tree, module, tests, chosen, reasons)
            killed, count = counted(results[module])
            print(f"{module}: {killed} of {count} killed", flush=True)
            arguments.output.mkdir(parents=True, exist_ok=True)
            (arguments.output / "mutation.md").write_text(report(results), encoding="utf-8")
            everything = {name: [plain(result) for result in found] for name, found in results.items()}
            (arguments.output / "mutation.json").write_text(json.dumps(everything, indent=1, ensure_ascii=False))
        server.close()
    print(report(results))


if __name__ == "__main__":
    main()
