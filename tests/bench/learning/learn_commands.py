"""Does the model really learn? Spoken commands through the whole pipeline, `tiny` on two cores, unseen commands.

    python -m tests.bench.learning.learn_commands WORK                 # all phases
    python -m tests.bench.learning.learn_commands WORK train report    # some of: make, build, tokenize, train, report

make: a corpus of commands by synthetic voices (tests/bench/learning/command_corpus.py; names the Debian packages it
needs). build: `curation build` with the offline preset, of the commands of the test too, and how right the kept texts
are. tokenize: `curation tokenizer fit` of a codec with few codes on the build, and both builds published with it.
train: `curation train` on two cores, twice with the same number of tokens: all three tasks, and ASR alone; on the way
the loss on commands of the test.
report: `curation evaluate` of both on commands that training does not hold, by voices it knows and voices it does not;
the ceilings (recordings, codec round trip), WORK/report.md and the curves as WORK/learn.png.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import jiwer
import pyarrow.compute as pc
import pyarrow.dataset as ds

from curation.text.normalize import normalizer_for
from curation.train.run import cpu_has_bfloat16
from tests.bench.learning import command_corpus
from tests.bench.learning.learn_curves import draw_curves

MAX_PWER = 0.5
"""Instead of 0.15, which keeps half as much: Moonshine tiny mishears synthetic voices where both Whispers do not, and
two of three make the text. `build` prints how right the texts are at both thresholds."""
BUILD = {"consensus.max_pwer": MAX_PWER}
CODES = 256
"""Semantic codes of the fitted codec. The shipped one has 8192, too many to learn from an hour of speech."""
STEPS = 2600
PROCESSES = 2
TOKEN_BUDGET = 2048
COMMON = {
    "run.steps": STEPS,
    "run.threads": 1,
    "model.code_embeddings": "codebook",  # the corpus is small
    # Where the CPU has instructions for it bfloat16 is 1.4 times as fast as float32, elsewhere 20 times as slow.
    "run.precision": "bfloat16" if cpu_has_bfloat16() else "float32",
    "run.save_steps": 500,
    "run.spike_factor": "null",  # of the few ASR samples in a step two can have wrong words
    "run.validation_steps": STEPS // 10,
    "run.validation_rows": 8,
    "data.token_budget": TOKEN_BUDGET,
    "data.block_rows": 4096,  # all in one block, so that every utterance finds the one with its words
    "data.code_noise": 0.3,
    "speech.text_size": 512,
}
RUNS = {
    # An answer of ASR has a tenth of the tokens of the others, so its share of the gradient is small.
    "joint": {"data.pretrain.asr": 2},
    "asr-alone": {"data.pretrain.tts": 0, "data.pretrain.vc": 0},
}
"""Both see the same number of tokens, two rows in a step; all of ASR's are about recognition."""


def curation(*arguments: object) -> None:
    """Run the command line as a user does."""
    subprocess.run([sys.executable, "-m", "curation", *map(str, arguments)], check=True)


def settings(values: dict[str, object]) -> list[str]:
    return [part for key, value in values.items() for part in ("--set", f"{key}={value}")]


def make(work: Path) -> None:
    command_corpus.make(work / "corpus", command_corpus.Sizes())


def build(work: Path) -> None:
    for manifest, output in (("train", "build"), ("test", "held-out")):
        curation("build", work / "corpus" / f"{manifest}.jsonl", "-o", work / output, *settings(BUILD))
    table = ds.dataset(work / "build" / "shards", format="parquet", exclude_invalid_files=True).to_table(
        columns=["speaker", "text", "transcript", "pwer", "seconds"]
    )
    print("| kept | utterances | minutes | WER of the text | texts without an error |")
    print("|---|---|---|---|---|")
    for name, limit in (("pwer below 0.15", 0.15), (f"pwer below {MAX_PWER}", MAX_PWER)):
        print(label_row(name, table.filter(pc.less(table["pwer"], limit))))
    for speaker in sorted(set(table["speaker"].to_pylist())):
        print(label_row(speaker, table.filter(pc.equal(table["speaker"], speaker))))


def label_row(name: str, table) -> str:
    """How right the texts of the pipeline are, against what the synthesiser was given."""
    clean = normalizer_for("en").clean
    said, text = ([clean(one) for one in table[column].to_pylist()] for column in ("transcript", "text"))
    right = sum(one == other for one, other in zip(said, text, strict=True))
    minutes = pc.sum(table["seconds"]).as_py() / 60
    return f"| {name} | {len(said)} | {minutes:.1f} | {jiwer.wer(said, text):.3f} | {right / len(said):.0%} |"


def tokenize(work: Path) -> None:
    """The recordings of the test are encoded by the codec of the training voices."""
    folder = work.resolve() / "tokenizers"
    curation("tokenizer", "fit", work / "build", "-o", folder, "--codes", CODES, "--max-hours", 1)
    for output in ("build", "held-out"):
        curation("build", "-o", work / output, *settings({**BUILD, "tokenize.bicodec": folder}))


def train(work: Path) -> None:
    """One run after the other, a process for each core: a second thread makes one run only a quarter faster."""
    for name, own in RUNS.items():
        values = {**COMMON, **own, "run.validation": work / "held-out"}
        arguments = ["train", work / "build", "-o", work / "runs" / name, *settings(values)]
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES), "-m", "curation"]
        subprocess.run([sys.executable, *launch, *map(str, arguments)], check=True)


def report(work: Path) -> None:
    evaluate(work, "ceiling", "recording,codec,swap", None, "--codec", work / "tokenizers")
    evaluate(work, "asr-alone", "asr", checkpoint(work / "runs" / "asr-alone"))
    evaluate(work, "joint", "asr,tts,vc", checkpoint(work / "runs" / "joint"))
    lines = list(table_lines(work, ("ceiling", "asr-alone", "joint")))
    (work / "report.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))
    draw_curves({name: work / "runs" / name for name in RUNS}, work / "learn.png")


def checkpoint(run: Path) -> Path:
    """The last checkpoint of a run."""
    return max((run / "checkpoints").glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))


def evaluate(work: Path, name: str, tasks: str, model: Path | None, *more: object) -> None:
    given = ["--checkpoint", model] if model else []
    results = ["--by", "condition", "-o", work / "results" / name, "--save-audio"]
    curation("evaluate", work / "corpus" / "test.jsonl", "--tasks", tasks, *given, *more, *results)


def table_lines(work: Path, names: Iterable[str]) -> Iterable[str]:
    yield "| model | task | unseen commands, voice | n | WER % | 95 % | similarity to target | to source |"
    yield "|---|---|---|---|---|---|---|---|"
    for name in names:
        summary = json.loads((work / "results" / name / "summary.json").read_text())
        for row in summary["rows"]:
            wer, near, far = row["wer"], row["similarity"], row["source_similarity"]
            figures = [f"{100 * wer['value']:.1f}", f"{100 * wer['low']:.1f}-{100 * wer['high']:.1f}"]
            figures += ["" if one is None else f"{one['value']:.2f}" for one in (near, far)]
            count = row["utterances"] - row["failed"]
            yield f"| {name} | {row['task']} | {row['group']['condition']} | {count} | {' | '.join(figures)} |"


def run_phases(description: str, phases: Mapping[str, Callable[[Path], None]]) -> None:
    """Run those of the phases that the command line names, or all, in a folder that it names."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("work", type=Path)
    parser.add_argument("phases", nargs="*", help=f"of {', '.join(phases)}; all")
    options = parser.parse_args()
    if unknown := set(options.phases) - set(phases):
        parser.error(f"no phase {', '.join(sorted(unknown))}: choose of {', '.join(phases)}")
    for name, phase in phases.items():
        if not options.phases or name in options.phases:
            phase(options.work)


if __name__ == "__main__":
    run_phases(
        (__doc__ or "").partition("\n")[0],
        {"make": make, "build": build, "tokenize": tokenize, "train": train, "report": report},
    )
