"""From the command line to a checkpoint, and what is refused."""

import json

import numpy as np
import pytest

from curation.tokenize.pair import TokenizeConfig, load_tokenizers
from curation.train.config import load_training_config
from curation.train.distributed import World
from curation.train.infer.speech_model import SpeechModel
from curation.train.loop.metrics import read_metrics
from curation.train.posttrain.rollouts import Rollout, allowed_for
from curation.train.posttrain.run import prepare
from curation.train.run import train_run
from tests.support.builds import rows
from tests.support.checkpoints.speech import write_official
from tests.support.commands import curation, message
from tests.support.real_speech import LIBRIVOX, librivox
from tests.support.synthetic import write_shards
from tests.train.posttrain.conftest import FEW, write_start

SETTINGS = [part for setting in FEW[1:] for part in ("--set", setting)]


def test_from_an_official_checkpoint_to_one_of_ours(corpus, tmp_path):
    start = write_official(tmp_path / "official")
    few = [*SETTINGS, "-s", f"model.start_from={start}", "-s", "posttrain.group=2"]
    told = message(curation("posttrain", corpus, "-o", tmp_path / "run", *few, "-s", "run.steps=1"))
    assert "step 1:" in told
    (line,) = read_metrics(tmp_path / "run")
    assert line["rewards"]["asr"] == -1.0  # it has learned nothing
    assert SpeechModel.open(tmp_path / "run").vocabulary.end == SpeechModel.open(start).vocabulary.end


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("model.start_from=null", "set model.start_from"),
        ("run.validation=corpus", "run.validation is a setting of curation train"),
        ("data.code_noise=0.1", "data.code_noise is a setting of curation train"),
        ("run.data_workers=1", "run.data_workers is a setting of curation train"),
        ("phase=sft", "phase=sft"),
        ("data.split=test", "data.split=test"),
        ("posttrain.temperature=0", "posttrain.temperature"),
        ("posttrain.group=1", "posttrain.group"),
    ],
)
def test_what_cannot_be_is_refused_with_the_setting(setting, reason, corpus, start, tmp_path):
    given = [*SETTINGS, "-s", f"model.start_from={start}", "-s", setting]
    assert reason in message(curation("posttrain", corpus, "-o", tmp_path / "run", *given, code=2))


def test_the_reference_of_a_resumed_run_is_the_one_that_it_began_with(corpus, tmp_path):
    start = write_start(tmp_path / "start")
    run = [corpus, "-o", tmp_path / "run"]
    curation("posttrain", *run, *SETTINGS, "-s", f"model.start_from={start}", "-s", "run.steps=1")
    assert "`curation posttrain`" in message(curation("train", *run, code=2))
    curation("posttrain", *run, "-s", "run.steps=2")
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == [1, 2]
    write_start(start, seed=1)
    assert "start_from was" in message(curation("posttrain", *run, "-s", "run.steps=3", code=2))


@pytest.fixture(scope="module")
def read_aloud(tmp_path_factory):
    """Five sentences of a reader as shards, an untrained model that fits them, and the folder of both."""
    folder = tmp_path_factory.mktemp("read")
    tokenizers = load_tokenizers(TokenizeConfig())
    texts = [path.with_suffix(".lab").read_text().strip() for path in LIBRIVOX]
    about = [{"id": path.stem, "speaker": "reader", "language": "en"} for path in LIBRIVOX]
    tokens = tokenizers.encode(list(librivox()))
    whole = [{**one, "text": text, "seconds": 3.0, **ids} for one, text, ids in zip(about, texts, tokens, strict=True)]
    write_shards(folder / "corpus", whole, tokenizers=tokenizers.describe())
    lines = [{**one, "path": str(path), "text": text} for one, path, text in zip(about, LIBRIVOX, texts, strict=True)]
    (folder / "test.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = load_training_config(overrides=["run.steps=1", "run.threads=1", "data.token_budget=600"])
    train_run(str(folder / "corpus"), folder / "start", config, lambda _: None)
    return folder


@pytest.mark.slow
def test_the_judges_of_evaluation_know_right_answers_from_wrong_ones(read_aloud):
    config = load_training_config(overrides=["phase=posttrain", f"model.start_from={read_aloud / 'start'}"])
    trainer = prepare(str(read_aloud / "corpus"), read_aloud / "judged", config, World())
    prompts = trainer.loader.take(10)
    spoken, heard = ([one for one in prompts if one.task == task] for task in ("tts", "asr"))
    corpus = {row["text"]: row for row in rows(read_aloud / "corpus", "shards")}
    assert (len(spoken), len(heard)) == (5, 5)
    answers = []
    for prompt in spoken:
        allowed = allowed_for(trainer.engine, "tts")
        right = np.array(corpus[prompt.text]["semantic"], np.int32) + allowed.body.start
        answers += [Rollout(prompt, allowed, ids, allowed.ends[0]) for ids in (right, right[::-1].copy())]
    verdicts = trainer.judge(answers)
    right, backwards = verdicts[::2], verdicts[1::2]
    assert np.mean([verdict.error for verdict in right]) < 0.3
    assert np.mean([verdict.error for verdict in backwards]) > 0.9
    assert min(verdict.similarity for verdict in right) > 0.4


@pytest.mark.slow
def test_from_the_shards_to_an_evaluated_checkpoint(read_aloud):
    few = [f"model.start_from={read_aloud / 'start'}", "run.steps=1", "run.threads=1", "posttrain.prompts=2"]
    few += ["posttrain.group=2", "data.token_budget=600", "optimizer.warmup_steps=0"]
    given = [part for setting in few for part in ("--set", setting)]
    curation("posttrain", read_aloud / "corpus", "-o", read_aloud / "run", *given)
    (line,) = read_metrics(read_aloud / "run")
    assert line["failed"] == 0
    assert line.get("kl", 0.0) == 0.0  # none where all answers are equally bad
    assert line["rewards"].keys() <= {"asr", "tts"}
    given = ["-m", read_aloud / "run", "--tasks", "asr,tts", "--limit", "2", "--json"]
    found = json.loads(curation("evaluate", read_aloud / "test.jsonl", *given).stdout)
    assert [(row["task"], row["failed"]) for row in found["rows"]] == [("asr", 0), ("tts", 0)]
