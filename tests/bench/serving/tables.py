"""Tables 1 and 2 of the GPA paper with its 0.3B model, BiCodec and the GLM-4-Voice tokenizer, beside its own figures.

    python -m tests.bench.serving.tables --device cuda            # one GPU, 8 minutes at most
    python -m tests.bench.serving.tables --size small             # the same in miniature, on a CPU

Random weights at the official sizes, written into a folder first (4.6 GB; `--folder` keeps them for a next time). Such
a model never ends by itself, so texts are as long as gives 6.3 s of speech, the paper's mean, and transcripts of 6.4 s
of sound are printable characters, 224 of them: the whole time of a transcription is not to be compared. The voice is
encoded within each request. Before the tables, steps of all numbers of rows are captured, and each table is filled once
with most clients.

It also counts the operators that torch is called for: of a step of the engine, within what a GPU replays as one graph
and around it, and of the tokenizers, whatever the number of clients that share them.
"""

import argparse
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from curation.models.packaged_speech import BECKETT
from curation.models.store import resolve
from curation.tokenize.official.bicodec.synthesis import Window
from curation.train.evaluate.serving import TABLE_1, TABLE_2, serve_speech, serve_transcription
from curation.train.infer.engine import Engine, Request
from curation.train.infer.files import read_recording
from curation.train.infer.sampling import GREEDY, Allowed
from curation.train.infer.speech_model import SpeechModel
from curation.train.infer.streaming import Chunking
from tests.support.checkpoints.speech import write_official
from tests.train.infer.calls import Calls

TEXTS = [
    "The library opens at nine.",
    "It rained all this morning",
    "Leave the key next door, a",
    "Nobody painted this door. ",
]
"""26 letters: 317 tokens."""
VOICE_SECONDS, SOUND_SECONDS = 6.0, 6.4
PAPER_1 = {
    1: (258.8, 258.8, 258.8, 0.197, 0.197, 0.197, 6.44),
    5: (385.0, 394.7, 396.2, 0.218, 0.217, 0.248, 6.76),
    10: (544.6, 564.2, 566.7, 0.282, 0.301, 0.313, 6.49),
    20: (977.8, 977.9, 982.9, 0.470, 0.490, 0.538, 7.19),
    40: (1797.0, 1736.4, 2564.5, 0.421, 0.400, 0.587, 6.33),
}
PAPER_2 = {
    1: (157.5, 157.5, 157.5, 190.9),
    5: (394.1, 393.7, 395.9, 400.0),
    10: (589.6, 721.3, 723.3, 598.1),
    20: (1316.3, 1495.6, 1500.4, 1317.8),
    40: (2690.9, 2678.3, 2861.4, 2693.7),
}
"""By clients, on a GPU that is not named: github.com/AutoArk/GPA, the page of v1.0."""


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=["official", "small"], default="official")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--folder", type=Path, help="where the checkpoint is, or is to be written")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 5, 10, 20, 40])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--first-look-ahead", type=int)
    parser.add_argument("--seconds", type=float, default=450, help="no further line is begun after so many")
    options = parser.parse_args(arguments)
    log = Log(options.seconds)
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "model"
        if not (folder / "config.json").exists():
            write_official(folder, small=options.size == "small")
            log("the checkpoint is written")
        model = SpeechModel.open(folder, device=options.device, slots=max(options.clients), length=1024)
        measure(model, options, log)


class Log:
    """Says what is done, and when."""

    def __init__(self, seconds):
        self.begin, self.seconds = time.monotonic(), seconds

    def __call__(self, text):
        print(f"[{time.monotonic() - self.begin:6.1f} s] {text}", flush=True)

    def is_over(self):
        return time.monotonic() - self.begin > self.seconds


def measure(model, options, log):
    """Both tables and the counts of calls."""
    sound = read_recording(str(resolve(BECKETT)))
    voice, clip = (sound[: round(seconds * 16_000)] for seconds in (VOICE_SECONDS, SOUND_SECONDS))
    endless(model)
    capture(model)
    log("all steps have run once")
    chunking = Chunking(first_look_ahead=options.first_look_ahead)
    speech = partial(serve_speech, model, voice, chunking=chunking, texts=TEXTS)
    text = partial(serve_transcription, model, [clip])
    for fill in (speech, text):
        fill(concurrency=max(options.clients), rounds=1)
    log("both tables have been filled once")
    counts(model, voice, clip)
    where = torch.cuda.get_device_name() if options.device != "cpu" else f"CPU, {torch.get_num_threads()} thread(s)"
    later, first = chunking.look_aheads(model.codec)
    print(f"\n{options.size} sizes, {where}, {options.rounds} requests a client, look-ahead {first}, then {later}")
    table("Table 1, speech", TABLE_1, PAPER_1, speech, options, log)
    table("Table 2, transcription", TABLE_2, PAPER_2, text, options, log)
    if options.device != "cpu":
        print(f"memory of the GPU at most {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB")
    log("done")


def endless(model):
    """Answers of a random model, of full length and of printable characters: the first token is the first text."""
    model.text_ids = Allowed(range(94), ())
    model.speech_ids = replace(model.speech_ids, ends=())


def capture(model):
    """Decode a few tokens with each number of rows, so that nothing is compiled or captured in a table."""
    prompt, slots = np.arange(40, dtype=np.int32), model.engine.cache.slots
    tasks = [(model.speech_ids, model.sampling), (model.text_ids, GREEDY)]
    for rows in [1, *range(2, slots, 2), slots]:
        for allowed, sampling in tasks:
            model.engine.run([Request(prompt, allowed, 3, sampling)] * rows)


def counts(model, voice, clip):
    """Print operators of a step, and of a batch of the tokenizers for one client and for eight."""
    own = model.engine
    engine = own if own.decoding else Engine(own.decoder, own.cache.slots, own.cache.length, fixed=True)
    stream = engine.stream(Request(np.arange(9, dtype=np.int32), model.speech_ids, 9, model.sampling))
    [next(stream) for _ in range(3)]
    (shape,) = [shape for shape in engine.decoding._steps if (shape.rows, shape.tasks) == (1, (model.speech_ids,))]
    with torch.inference_mode():
        inside = calls_of(lambda: engine.decoding._step(shape))
    whole = calls_of(lambda: next(stream))
    stream.close()
    around = whole if own.decoding else whole - inside  # a replay calls nothing
    print(f"operators a step: {inside} within what a GPU replays, {around} around it")
    codec, content = model.codec, model.content
    loud, sound = (codec.volume_normalized(wave) for wave in (voice, clip))
    window = Window(np.zeros(92, np.int32), 0, 25, codec.dvector([np.zeros(32, np.int32)])[0])
    work = {
        "voices": lambda count: codec._voices_batch([loud] * count),
        "clips, codec": lambda count: codec._encode_batch([sound] * count),
        "clips, content": lambda count: content._encode_chunks([content.chunk(clip)] * count),
        "25 of 92 tokens": lambda count: codec.synthesis.batch([window] * count),
    }
    for name, run in work.items():
        print(
            f"operators a batch, {name}: {calls_of(partial(run, 1))} for one client, {calls_of(partial(run, 8))} for 8"
        )


def calls_of(run):
    with Calls() as calls:
        run()
    return calls.count


def table(title, columns, paper, fill, options, log):
    """Print a table as it is filled."""
    sound = columns is TABLE_1
    print(f"\n{title}\n| Concurrency | {' | '.join(c.title for c in columns)} |{' Underruns |' if sound else ''}")
    print("|" + "---|" * (len(columns) + 1 + sound))
    for count in options.clients:
        if log.is_over():
            log(f"no time is left for {count} clients")
            return
        load = fill(concurrency=count, rounds=options.rounds)
        dry = f" {load.underruns} of {load.requests} ({load.dry_seconds:.1f} s) |" if sound else ""
        print(f"| {count} | {' | '.join(column.of(load) for column in columns)} |{dry}", flush=True)
        if count in paper:
            theirs = [f"{value:.{c.digits}f}" for value, c in zip(paper[count], columns, strict=True)]
            print(f"| (paper) | {' | '.join(theirs)} |{' |' if sound else ''}", flush=True)


if __name__ == "__main__":
    main()
