"""A stream of packed rows made in memory, with the promises of the data loader: row i goes to rank i mod world."""

import numpy as np
import torch

from curation.tokenize.layouts import Asr, Tts, Vc, encode
from curation.tokenize.vocabulary import make_vocabulary
from curation.train.checkpoint.speech_info import SpeechInfo, TokenizerInfo
from curation.train.config import load_training_config
from curation.train.data.batch import IGNORED, PackedBatch

TOKENIZERS = {
    "fingerprint": "0" * 64,
    "glm": {"name": "toy", "fingerprint": "1", "size": 40},
    "bicodec": {"name": "toy", "fingerprint": "2", "semantic_size": 60, "global_size": 16, "num_global": 4},
}


def toy_speech(fingerprint=TOKENIZERS["fingerprint"]):
    vocabulary = make_vocabulary(glm=40, global_=16, semantic=60)
    return SpeechInfo(vocabulary, TokenizerInfo("compact", "compact", {**TOKENIZERS, "fingerprint": fingerprint}))


def toy_sample(number, vocabulary):
    """A sample, different for each number."""
    generator = np.random.default_rng(number)
    codes = lambda size, count: generator.integers(0, size, count).astype(np.int32)  # noqa: E731
    text = "one two three four"[: int(generator.integers(3, 18))]
    long, voice = int(generator.integers(5, 40)), codes(16, 4)
    if number % 3 == 0:
        example = Asr(codes(40, long // 4 + 1), codes(60, long), text)
    elif number % 3 == 1:
        example = Tts(voice, text, codes(60, long))
    else:
        example = Vc(voice, codes(60, long), codes(60, long))
    return ("asr", "tts", "vc")[number % 3], encode(example, vocabulary)


def pack(samples, keys):
    """Put encoded samples behind one another."""
    ids = [torch.from_numpy(sequence.ids).long() for _, sequence in samples]
    labels = [torch.where(torch.from_numpy(s.loss), row, IGNORED) for (_, s), row in zip(samples, ids, strict=True)]
    return PackedBatch(
        ids=torch.cat(ids),
        labels=torch.cat(labels),
        positions=torch.cat([torch.arange(len(row)) for row in ids]),
        lengths=torch.tensor([len(row) for row in ids], dtype=torch.int32),
        tasks=[task for task, _ in samples],
        keys=keys,
    )


class ToyLoader:
    """Row i holds the samples 4 i to 4 i + 3."""

    def __init__(self, vocabulary, rank=0, world=1, rows=None, distinct=10**9):
        self.vocabulary, self.rank, self.world, self.rows = vocabulary, rank, world, rows
        self.next, self.distinct = 0, distinct

    def row(self, index):
        numbers = [(4 * index + i) % self.distinct for i in range(4)]
        return pack([toy_sample(number, self.vocabulary) for number in numbers], [f"toy-{n}" for n in numbers])

    def __iter__(self):
        while self.rows is None or self.next + self.rank < self.rows:
            mine, self.next = self.next + self.rank, self.next + self.world
            yield self.row(mine)

    def state_dict(self):
        return {"next": self.next, "rank": self.rank}

    @staticmethod
    def merge_states(states):
        assert len({state["next"] for state in states}) == 1
        return {"next": states[0]["next"]}

    def load_state_dict(self, state):
        self.next = state["next"]


def toy_config(*overrides):
    few = ["run.device=cpu", "optimizer.warmup_steps=2", "optimizer.learning_rate=0.003", "data.token_budget=256"]
    return load_training_config(overrides=[*few, *overrides])
