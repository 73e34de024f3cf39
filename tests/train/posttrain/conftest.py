"""A corpus of random codes, a tiny untrained checkpoint that fits it, and judges that need no models."""

import pytest

from curation.train.checkpoint.speech_info import SpeechInfo, TokenizerInfo
from curation.train.config import load_training_config
from curation.train.posttrain.rewards import Verdict
from curation.train.posttrain.run import posttrain_run
from curation.train.run import settings_of
from tests.support import synthetic
from tests.support.runs import toy_model

FEW = (
    "phase=posttrain",
    "run.device=cpu",
    "run.threads=1",
    "data.token_budget=200",
    "data.posttrain.tts=0",
    "optimizer.warmup_steps=0",
    "optimizer.learning_rate=0.03",
    "posttrain.prompts=2",
    "posttrain.group=8",
    "posttrain.temperature=1",
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """With texts of one letter, so that answers are short."""
    rows = [synthetic.utterance(number, long=8) | {"text": "abcde"[number % 5]} for number in range(20)]
    return synthetic.write_shards(tmp_path_factory.mktemp("corpus"), rows, tokenizers=tokenizers())


def tokenizers():
    found = synthetic.tokenizers()
    for name in ("glm", "bicodec"):
        found[name] |= {"name": "toy", "reference": "compact", "fingerprint": name}
    return found


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    return write_start(tmp_path_factory.mktemp("start"))


def write_start(folder, seed=0):
    speech = SpeechInfo(synthetic.vocabulary(), TokenizerInfo("compact", "compact", tokenizers()))
    toy_model(speech.vocabulary, seed).save_pretrained(folder)
    speech.save(folder)
    return folder


def low_bytes(rollouts):
    """Rewards answers by the share of their text ids below 64."""
    return [Verdict(1.0 - float((rollout.ids < 64).mean()) if len(rollout.ids) else 1.0) for rollout in rollouts]


def posttrain(corpus, start, run, *overrides, judge=low_bytes, on_step=lambda _: None):
    settings = [*FEW, f"model.start_from={start}", *overrides]
    config = load_training_config(overrides=settings, base=settings_of(run))
    return posttrain_run(corpus, run, config, on_step, judge)
