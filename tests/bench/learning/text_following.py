"""How much of its text does a model's speech follow? Asked of the likelihoods, without a recogniser.

    python -m tests.bench.learning.text_following RUN BUILD

RUN is a run or checkpoint; BUILD holds commands of tests/bench/learning/command_corpus.py that training does not hold,
the folder `held-out` of learn_commands. For each recording and each of the four slots of its command: is the text that
was said the likeliest for these codes, among the eight that differ in this slot? By chance it is one time in eight.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import torch

from curation.tokenize.layouts import Tts, encode
from curation.train.checkpoint.folder import find_parts
from curation.train.model.loss import AnswerModel
from curation.train.model.qwen3 import open_model
from tests.bench.learning.command_corpus import COLOURS, PLACES, THINGS, VERBS
from tests.support.streams import pack

SLOTS = {"verb": VERBS, "colour": COLOURS, "thing": THINGS, "place": PLACES}


def variants(text: str) -> Iterator[tuple[str, list[str]]]:
    """For each slot the text itself and those that differ from it there."""
    for slot, words in SLOTS.items():
        said = next(word for word in words if word in text.lower())
        others = [text.lower().replace(said, word).capitalize() for word in words if word != said]
        yield slot, [text, *others]


@torch.inference_mode()
def losses(model: AnswerModel, examples: list[Tts], vocabulary) -> list[float]:
    """Of each example's answer, in nats."""
    samples = [("tts", encode(example, vocabulary)) for example in examples]
    batch = pack(samples, [""] * len(samples))
    _, each = model(batch)
    return torch.zeros(len(samples)).index_add(0, batch.answer_samples, each).tolist()


def main() -> None:
    run, build = map(Path, sys.argv[1:])
    parts = find_parts(run)
    vocabulary, model = parts.vocabulary(), AnswerModel(open_model(str(parts.model)).eval())
    shards = ds.dataset(build / "shards", format="parquet", exclude_invalid_files=True)
    rows = shards.to_table(columns=["transcript", "global", "semantic"]).to_pylist()
    right = dict.fromkeys(SLOTS, 0)
    for row in rows:
        for slot, texts in variants(row["transcript"]):
            found = losses(model, [Tts(row["global"], text, row["semantic"]) for text in texts], vocabulary)
            right[slot] += found[0] == min(found)
    for slot, count in right.items():
        print(f"{slot}: {count} of {len(rows)}")
    print(f"all: {sum(right.values()) / len(rows) / len(SLOTS):.0%}")


if __name__ == "__main__":
    main()
