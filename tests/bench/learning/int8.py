"""What weights in 8 bits change of a trained model: `python -m tests.bench.learning.int8 CHECKPOINT CORPUS [--rows N]`

The answers of the corpus's utterances (text for ASR, semantic tokens for TTS) are read token by token by both: mean
loss (nats a token, over the ids that the task allows), the share of tokens that are the most probable ones, how often
the two differ in what is most probable, and how far apart their logits are (root of the mean square).
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.dataset
import torch
from torch.nn import functional as F  # noqa: N812 - the customary name

from curation.tokenize.layouts import Asr, Tts, encode
from curation.train.infer.attention import NextTokens
from curation.train.infer.preparation import scaled
from curation.train.infer.sampling import Head
from curation.train.infer.speech_model import SpeechModel

KINDS = ("float32", "int8")
COLUMNS = ["text", "glm", "semantic", "global"]


@torch.inference_mode()
def logits(model, allowed, sequence):
    """(answer, choices): logits of each token of the answer."""
    decoder = model.engine.decoder
    head = Head(decoder.head, allowed, int8=decoder.int8)
    cache = decoder.new_cache(1, len(sequence.ids))
    hidden = [decoder.forward(sequence.prompt.tolist(), [NextTokens(0, len(sequence.prompt))], cache)]
    hidden += [
        decoder.forward([number], [NextTokens(0, 1)], cache) for number in sequence.ids[sequence.loss].tolist()[:-1]
    ]
    return torch.cat([head(state) for state in hidden]), head.ids


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--rows", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    models = {kind: SpeechModel.open(arguments.checkpoint, dtype=kind, slots=1, prepare=scaled) for kind in KINDS}
    one = models["float32"]
    table = pyarrow.dataset.dataset(arguments.corpus / "shards", format="parquet").head(arguments.rows, columns=COLUMNS)
    found = defaultdict(list)
    for row in table.to_pylist():
        glm, semantic, voice = (np.array(row[name], np.int32) for name in COLUMNS[1:])
        examples = {"asr": Asr(glm, semantic, row["text"]), "tts": Tts(voice, row["text"], semantic)}
        for task, example in examples.items():
            sequence = encode(example, one.vocabulary)
            allowed = one.text_ids if task == "asr" else one.speech_ids
            (exact, ids), (rounded, _) = (logits(models[kind], allowed, sequence) for kind in KINDS)
            places = {number: place for place, number in enumerate(ids.tolist())}
            truth = torch.tensor([places[number] for number in sequence.ids[sequence.loss].tolist()])
            losses = [F.cross_entropy(scores, truth, reduction="none") for scores in (exact, rounded)]
            best = [scores.argmax(1) for scores in (exact, rounded)]
            apart = (exact - rounded).square().mean(1)
            columns = [*losses, best[0] == truth, best[1] == truth, best[0] != best[1], apart]
            found[task].append(torch.stack([column.double() for column in columns]))
    print("task  tokens  loss float32    int8  right float32    int8  differ  logits apart")
    for task, parts in found.items():
        every = torch.cat(parts, dim=1)
        means = every.mean(1).tolist()
        print(
            f"{task:5} {every.shape[1]:6} {means[0]:13.4f} {means[1]:7.4f} {means[2]:14.2%} {means[3]:7.2%} "
            f"{means[4]:7.2%} {means[5] ** 0.5:13.4f}"
        )


if __name__ == "__main__":
    main()
