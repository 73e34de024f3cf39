"""Does it learn from its judges? The model of the learning benchmark before and after `curation posttrain`.

    python -m tests.bench.learning.learn_commands WORK                 # first
    python -m tests.bench.learning.posttrain_commands WORK             # both phases
    python -m tests.bench.learning.posttrain_commands WORK report      # one of: posttrain, report

posttrain: GRPO on synthesis from WORK/runs/joint on one core, with texts and voices of WORK/build; Whisper tiny judges
the words. report: `curation evaluate`, where Whisper base judges, of both models on the commands that training does not
hold, as a table; and the curves of post-training as WORK/posttrain.png.
"""

from pathlib import Path

import numpy as np

from curation.train.loop.metrics import read_metrics
from tests.bench.learning.learn_commands import checkpoint, curation, evaluate, run_phases, settings, table_lines
from tests.bench.learning.learn_curves import smooth

STEPS = 60
POSTTRAINING = {
    "run.threads": 1,
    "run.save_steps": 10,
    "data.token_budget": 2048,
    "data.posttrain.asr": 0,
    "posttrain.prompts": 16,
    "posttrain.similarity": 0,  # the voice is in the prompt's global tokens; what is learned here are words
    "posttrain.min_spread": 0.02,
    "posttrain.recogniser": "whisper-tiny.en",
    "optimizer.learning_rate": 2e-4,
    "optimizer.warmup_steps": 3,
}


def posttrain(work: Path, steps: int = STEPS) -> None:
    given = {"model.start_from": checkpoint(work / "runs" / "joint"), **POSTTRAINING, "run.steps": steps}
    curation("posttrain", work / "build", "-o", work / "runs" / "grpo", *settings(given))


def report(work: Path) -> None:
    """Of both models, with another recogniser than in training."""
    for name in ("joint", "grpo"):
        if not (work / "results" / name / "summary.json").is_file():
            evaluate(work, name, "asr,tts,vc", checkpoint(work / "runs" / name))
    print("\n".join(table_lines(work, ("joint", "grpo"))))
    draw(work / "runs" / "grpo", work / "posttrain.png")


def draw(run: Path, target: Path) -> None:
    """Error rate of the model's answers in training, and how far it went from where it began."""
    from matplotlib.figure import Figure

    lines = read_metrics(run)
    figure = Figure(figsize=(7, 3), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    errors = np.array([line["errors"]["tts"] for line in lines])
    left.plot([line["step"] for line in lines], errors, ".", color="lightgrey")
    left.plot([line["step"] for line in lines], smooth(errors))
    known = [line for line in lines if "kl" in line]
    right.plot([line["step"] for line in known], [line["kl"] for line in known])
    left.set(xlabel="step", ylabel="WER of answers")
    right.set(xlabel="step", ylabel="KL to the first model, nats a token")
    figure.savefig(target, metadata={"Software": None})


if __name__ == "__main__":
    run_phases((__doc__ or "").partition("\n")[0], {"posttrain": posttrain, "report": report})
