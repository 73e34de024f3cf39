"""Does it learn from its judges, and does it convert what it has pairs of? A small model of spoken commands before and
after `curation posttrain`.

    python -m tests.bench.learning.posttrain_commands WORK                     # all phases
    python -m tests.bench.learning.posttrain_commands WORK posttrain report    # some of: make, train, posttrain, report

A smaller learning benchmark (learn_commands.py) for one core: commands of its grammar by four voices of Debian's
espeak-ng and flite, with exact transcripts and without the label pass, a codec of 256 codes fitted to them. Each
command of training is spoken by two voices, so that every sample of voice conversion is a parallel pair. `tiny` is
trained on all tasks, and post-trained with GRPO on synthesis; the judge in training is Whisper tiny, that of the report
Whisper base. The report is on commands that training does not hold, by its voices.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from curation.audio.wave import SAMPLE_RATE
from curation.stages.denoise.stage import DenoiseConfig
from curation.tokenize.fit.pair import fit
from curation.tokenize.fit.settings import FitSettings
from curation.tokenize.pair import TokenizeConfig, load_tokenizers
from curation.train.infer.files import read_recording
from curation.train.infer.preparation import Preparation
from curation.train.loop.metrics import read_metrics
from tests.bench.learning import command_corpus
from tests.bench.learning.command_corpus import Utterance, Voice
from tests.bench.learning.learn_commands import COMMON, curation, run_phases, settings
from tests.bench.learning.learn_curves import smooth
from tests.support.synthetic import write_shards

VOICES = (
    Voice("espeak-us", "espeak", "en-us"),
    Voice("espeak-us-f2", "espeak", "en-us+f2"),
    Voice("flite-slt", "flite", "slt"),
    Voice("flite-awb", "flite", "awb"),
)


@dataclass(frozen=True)
class Sizes:
    """Commands of training (by two voices) and test (by one); recordings and steps of the codec's fit; steps of both
    runs.
    """

    train: int = 1200
    test: int = 96
    fitted: int = 320
    fit_steps: int = 700
    steps: int = 2000
    posttrain_steps: int = 60


UNDENOISED = DenoiseConfig(choose="never")
TRAINING = {
    **{name: value for name, value in COMMON.items() if not name.startswith("run.validation")},
    "run.save_steps": 200,
}
POSTTRAINING = {
    "run.threads": 1,
    "run.save_steps": 10,
    "data.token_budget": 2048,
    "data.posttrain.asr": 0,
    "posttrain.recogniser": "whisper-tiny.en",
    "optimizer.learning_rate": 2e-4,
    "optimizer.warmup_steps": 3,
}


def plan(sizes: Sizes) -> list[tuple[Utterance, Voice]]:
    """Commands of the test, each by one voice, then those of training, each by two."""
    rng = random.Random(command_corpus.SEED)  # noqa: S311 - a corpus, not a secret
    texts = command_corpus.commands()
    rng.shuffle(texts)
    planned: list[tuple[Utterance, Voice]] = []
    for place, words in enumerate(texts[: sizes.test + sizes.train]):
        turn, first = divmod(place, len(VOICES))
        part, chosen = ("test", [first]) if place < sizes.test else ("train", [first, first + 1 + turn % 3])
        voices = [VOICES[number % len(VOICES)] for number in chosen]
        name = f"{part}-{place:04d}"
        planned += [(command_corpus.utterance(name, words, voice, part, rng), voice) for voice in voices]
    return planned


def make(work: Path, sizes: Sizes) -> None:
    """Recordings, the codec, shards and the manifest of the test."""
    planned, corpus = plan(sizes), work / "corpus"
    (corpus / "wav").mkdir(parents=True, exist_ok=True)
    for voice in VOICES:
        own = [one for one, whose in planned if whose == voice and not (corpus / one.path).is_file()]
        command_corpus.speak(corpus, voice, own)
    test = [asdict(one) for one, _ in planned if one.condition == "test"]
    (corpus / "test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in test))
    train = [one for one, _ in planned if one.condition == "train"]
    prepare = Preparation(UNDENOISED)
    waves = [prepare(read_recording(str(corpus / one.path))) for one in train]
    folder = work.resolve() / "tokenizers"
    if not folder.is_dir():
        folder.mkdir()
        fit(waves[: sizes.fitted], folder, FitSettings(steps=sizes.fit_steps, codes=256))
    tokenizers = load_tokenizers(TokenizeConfig(bicodec=str(folder)))
    rows = list(shard_rows(train, waves, tokenizers))
    described = {"tokenizers": tokenizers.describe(), "denoise": UNDENOISED.model_dump(mode="json")}
    write_shards(work / "build", rows, shard_rows=500, group_rows=250, **described)


def shard_rows(utterances: list[Utterance], waves: list[np.ndarray], tokenizers) -> Iterator[dict]:
    for start in range(0, len(waves), 50):
        part = slice(start, start + 50)
        for one, wave, tokens in zip(utterances[part], waves[part], tokenizers.encode(waves[part]), strict=True):
            about = {"id": one.id, "speaker": one.speaker, "language": one.language, "text": one.transcript}
            yield {**about, "seconds": len(wave) / SAMPLE_RATE, **tokens}


def train(work: Path, sizes: Sizes) -> None:
    curation("train", work / "build", "-o", work / "base", *settings({**TRAINING, "run.steps": sizes.steps}))


def posttrain(work: Path, sizes: Sizes) -> None:
    given = {"model.start_from": work / "base", **POSTTRAINING, "run.steps": sizes.posttrain_steps}
    curation("posttrain", work / "build", "-o", work / "grpo", *settings(given))


def report(work: Path, sizes: Sizes) -> None:
    """Of both models, with another recogniser than in training; a table, and curves as WORK/posttrain.png."""
    print("| model | task | n | WER % | 95 % | similarity to target | to source |")
    print("|---|---|---|---|---|---|---|")
    for name in ("base", "grpo"):
        results = work / "results" / name
        given = ["--tasks", "asr,tts,vc", "--checkpoint", work / name, "-o", results, "--save-audio"]
        curation("evaluate", work / "corpus" / "test.jsonl", *given)
        for row in json.loads((results / "summary.json").read_text())["rows"]:
            wer, near, far = row["wer"], row["similarity"], row["source_similarity"]
            figures = [f"{100 * wer['value']:.1f}", f"{100 * wer['low']:.1f}-{100 * wer['high']:.1f}"]
            figures += ["" if one is None else f"{one['value']:.2f}" for one in (near, far)]
            print(f"| {name} | {row['task']} | {row['utterances'] - row['failed']} | {' | '.join(figures)} |")
    draw(work / "grpo", work / "posttrain.png")


def draw(run: Path, target: Path) -> None:
    """Error rate and similarity of the model's answers in training, and how far it went from where it began."""
    from matplotlib.figure import Figure

    lines = read_metrics(run)
    figure = Figure(figsize=(7, 3), dpi=80, layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, values in (("WER of answers", "errors"), ("reward", "rewards")):
        left.plot(
            [line["step"] for line in lines], smooth(np.array([line[values]["tts"] for line in lines])), label=name
        )
    left.plot(
        [line["step"] for line in lines], smooth(np.array([line["similarity"] for line in lines])), label="similarity"
    )
    known = [line for line in lines if "kl" in line]
    right.plot([line["step"] for line in known], [line["kl"] for line in known])
    left.set(xlabel="step")
    right.set(xlabel="step", ylabel="KL to the first model, nats a token")
    left.legend(frameon=False)
    figure.savefig(target, metadata={"Software": None})


if __name__ == "__main__":
    steps = {"make": make, "train": train, "posttrain": posttrain, "report": report}
    run_phases((__doc__ or "").partition("\n")[0], {name: partial(step, sizes=Sizes()) for name, step in steps.items()})
