"""Does recognition improve on sentences that were never heard? A language of sixteen words without sound: a word is
four codes, a fifth of them wrong. A small model is trained for a while, then post-trained by minus its error rate.

Run it with `pytest -m slow -s`: it prints the rates.
"""

import numpy as np
import pytest

from curation.train.config import load_training_config
from curation.train.data.blocks import Blocks
from curation.train.data.corpus import open_corpus
from curation.train.evaluate.run import Judges
from curation.train.infer.backends.base import Request
from curation.train.infer.sampling import GREEDY, Sampling
from curation.train.infer.speech_model import SpeechModel
from curation.train.loop.metrics import read_metrics
from curation.train.posttrain.prompts import Prompts
from curation.train.posttrain.rewards import AnswerJudge
from curation.train.posttrain.rollouts import Rollout
from curation.train.run import train_run
from tests.support import synthetic
from tests.train.posttrain.conftest import posttrain, tokenizers, write_start

WORDS = "ab cd ef gh ij kl mn op qr st uv wx yz ca de fi".split()  # noqa: SIM905
COMMON = (
    "run.device=cpu",
    "run.threads=1",
    "data.token_budget=1024",
    "run.save_steps=1000",
    "optimizer.warmup_steps=5",
)


def sentence(number):
    """Four words; a word is four semantic codes of its own of thirty, and one of twenty for its first letter."""
    random = np.random.default_rng([number, 7])
    chosen = random.integers(len(WORDS), size=4)
    spelled = np.random.default_rng(1).integers(30, size=(len(WORDS), 4))
    semantic = spelled[chosen].ravel()
    wrong = random.random(len(semantic)) < 0.2
    semantic[wrong] = random.integers(30, size=wrong.sum())
    return {
        "id": f"utt-{number:05d}",
        "speaker": "nobody",
        "language": "en",
        "text": " ".join(WORDS[word] for word in chosen),
        "seconds": 0.3,
        "glm": random.integers(20, size=4).tolist(),
        "semantic": semantic.tolist(),
        "global": [0, 0, 0, 0],
    }


def write(folder, numbers):
    rows = [sentence(number) for number in numbers]
    return synthetic.write_shards(folder, rows, tokenizers=tokenizers(), shard_rows=500, group_rows=250)


def error_rate(checkpoint, corpus, sampling):
    """Mean error rate of the answers to a whole corpus."""
    model = SpeechModel.open(checkpoint, slots=64, length=256)
    config = load_training_config(overrides=["data.posttrain.tts=0", "data.epochs=1"])
    blocks = Blocks(open_corpus(corpus), model.vocabulary, config.data, "posttrain")
    prompts = Prompts(blocks, model.vocabulary, "").take(1000)
    answers = model.engine.run([Request(prompt.ids, model.text_ids, 40, sampling) for prompt in prompts])
    rollouts = [
        Rollout(prompt, model.text_ids, np.array(answer.ids, np.int32), answer.end)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    return float(np.mean([verdict.error for verdict in AnswerJudge(model, Judges())(rollouts)]))


@pytest.mark.slow
def test_fewer_words_of_unseen_sentences_are_wrong(tmp_path):
    heard, unheard = write(tmp_path / "heard", range(2000)), write(tmp_path / "unheard", range(5000, 5200))
    start = write_start(tmp_path / "start")
    few = [*COMMON, "phase=sft", f"model.start_from={start}", "data.sft.tts=0", "data.sft.vc=0"]
    training = load_training_config(overrides=[*few, "run.steps=160", "optimizer.learning_rate=0.005"])
    base = train_run(heard, tmp_path / "base", training, lambda _: None).checkpoint
    settings = (*COMMON, "run.steps=80", "posttrain.prompts=16", "posttrain.kl=0.005", "optimizer.learning_rate=0.001")
    better = posttrain(heard, base, tmp_path / "better", *settings, judge=None).checkpoint
    before, after = ([error_rate(folder, unheard, how) for how in (Sampling(1.0), GREEDY)] for folder in (base, better))
    lines = read_metrics(tmp_path / "better")
    curve = [(line["step"], round(line["errors"]["asr"], 2), round(line.get("kl", 0), 2)) for line in lines[::8]]
    print(
        f"sampled {before[0]:.3f} -> {after[0]:.3f}, greedy {before[1]:.3f} -> {after[1]:.3f}; step, WER, KL: {curve}"
    )
    assert after[0] < 0.8 * before[0]
    assert after[1] < before[1] + 0.04
