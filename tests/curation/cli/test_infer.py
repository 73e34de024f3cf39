"""The commands, end to end on a checkpoint with random weights."""

import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from curation.audio.wave import SAMPLE_RATE
from curation.cli import app
from curation.train.evaluate import serving as serve_bench
from curation.train.infer.streaming import Chunking
from tests.support.real_speech import librivox


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Two clips at other rates and formats."""
    folder = tmp_path_factory.mktemp("clips")
    soundfile.write(folder / "a.wav", librivox()[0][:24_000], SAMPLE_RATE)
    soundfile.write(folder / "b.ogg", np.stack([librivox()[1][:40_000]] * 2, axis=1), 22_050)
    return folder


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_transcribe_gives_a_line_for_each_file(checkpoint, clips):
    rows = [json.loads(line) for line in run("transcribe", checkpoint, clips, "--json").splitlines()]
    assert [(row["path"], row["seconds"]) for row in rows] == [
        (str(clips / "a.wav"), 1.5),
        (str(clips / "b.ogg"), round(40_000 / 22_050, 3)),
    ]
    assert all(set(row) == {"path", "seconds", "text", "complete"} for row in rows)
    streamed = run("transcribe", checkpoint, clips / "a.wav", "--stream")
    assert streamed == rows[0]["text"] + "\n"


def test_a_file_that_is_no_audio_is_an_error_of_that_file_only(checkpoint, clips, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF no audio")
    soundfile.write(tmp_path / "good.wav", librivox()[0][:9_000], SAMPLE_RATE)
    result = CliRunner().invoke(app, ["transcribe", str(checkpoint), str(tmp_path), "--json"])
    assert result.exit_code == 1
    rows = {row["path"].rsplit("/", 1)[1]: row for row in map(json.loads, result.stdout.splitlines())}
    assert "text" in rows["good.wav"]
    assert "damaged" in rows["broken.wav"]["error"]


@pytest.mark.parametrize("command", ["speak", "convert"])
def test_streamed_files_hold_the_same(command, checkpoint, clips, tmp_path):
    what = "A few words." if command == "speak" else clips / "b.ogg"
    for name, more in (("whole.wav", []), ("streamed.wav", ["--stream"])):
        run(command, checkpoint, what, "--voice", clips / "a.wav", "-o", tmp_path / name, *more)
    whole, rate = soundfile.read(tmp_path / "whole.wav")
    assert rate == SAMPLE_RATE
    assert len(whole) > 0
    np.testing.assert_allclose(soundfile.read(tmp_path / "streamed.wav")[0], whole, atol=1e-4)


def test_manifests_are_said_file_by_file(checkpoint, clips, tmp_path):
    rows = [{"id": "x", "text": "Yes.", "voice": "a.wav"}, {"text": "No.", "voice": "b.ogg"}]
    manifest = clips / "jobs.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    told = run("speak", checkpoint, "--manifest", manifest, "-o", tmp_path, "--seed", 3).split()
    assert told == [str(tmp_path / "x.wav"), str(tmp_path / "00002.wav")]
    alone = tmp_path / "alone.wav"
    run("speak", checkpoint, "No.", "--voice", clips / "b.ogg", "-o", alone, "--seed", 3)
    np.testing.assert_allclose(soundfile.read(told[1])[0], soundfile.read(alone)[0], atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Hello.", "-o", "x.wav"], "give --voice"),
        (["-o", "x.wav", "--voice", "v.wav"], "either TEXT or --manifest"),
        (["Hello.", "-o", "x.wav", "--voice", "/nowhere.wav"], "no such file"),
        (["Hello.", "-o", "x.wav", "--voice", "/nowhere.wav", "--top-p", "2"], "top_p within 0..1"),
        (["-o", "x", "--manifest", "/nowhere.jsonl"], "does not exist"),
    ],
)
def test_mistakes_are_explained(checkpoint, arguments, message):
    result = CliRunner().invoke(app, ["speak", str(checkpoint), *arguments])
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize("line", ["no json", "[1]", '{"voice": "a.wav"}', '{"text": "a", "voice": "v", "id": "../x"}'])
def test_lines_of_a_manifest_that_say_nothing_are_named(checkpoint, tmp_path, line):
    (tmp_path / "jobs.jsonl").write_text(line)
    manifest = str(tmp_path / "jobs.jsonl")
    result = CliRunner().invoke(app, ["speak", str(checkpoint), "--manifest", manifest, "-o", str(tmp_path)])
    assert result.exit_code == 2
    assert "line 1" in " ".join(result.output.split())


def test_an_unfit_output_or_checkpoint_is_named(checkpoint, clips, tmp_path):
    for folder, output, message in (
        (checkpoint, "x.txt", "cannot write .txt"),
        (tmp_path, "x.wav", "no language model"),
    ):
        arguments = ["speak", str(folder), "Yes.", "--voice", str(clips / "a.wav"), "-o", str(tmp_path / output)]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert message in " ".join(result.output.split())


def check(loads, expected, names):
    assert [(load.concurrency, load.requests) for load in loads] == expected
    for load in loads:
        assert list(load.figures) == names
        for figure in load.figures.values():
            assert 0 < figure.p50 <= figure.p99
            assert figure.mean > 0


def test_many_clients_are_served_at_once(model):
    voice, chunking, waves = model.voice(librivox()[0]), Chunking(look_ahead=4), [librivox()[0][:9_000]]
    loads = [serve_bench.serve_speech(model, voice, count, 2, chunking, ["Hi.", "Yes."]) for count in (1, 3)]
    check(loads, [(1, 2), (3, 6)], ["first_chunk_ms", "real_time_factor"])
    loads = [serve_bench.serve_transcription(model, waves, count, 2) for count in (1, 3)]
    check(loads, [(1, 2), (3, 6)], ["first_token_ms", "total_ms"])
    assert all(load.figures["first_token_ms"].p50 <= load.figures["total_ms"].p50 for load in loads)


def test_a_client_that_fails_is_heard(model):
    with pytest.raises(ValueError, match="32 global"):
        serve_bench.serve_speech(model, np.zeros(3, np.int32), 2, 1, Chunking(), ["Hi."])


def test_bench_serve_fills_both_tables(checkpoint, clips):
    told = run("bench", "serve", checkpoint, "--concurrency", 1, "--rounds", 1, "--audio", clips / "a.wav", "--json")
    tables = json.loads(told)
    assert list(tables) == ["model", "speech", "text"]
    assert list(tables["speech"][0]["figures"]["real_time_factor"]) == ["mean", "p50", "p99"]


def test_tables_are_results_and_whole_in_a_file(checkpoint, clips):
    command = ["bench", "serve", checkpoint, "--concurrency", 1, "--rounds", 1, "--audio", clips / "a.wav"]
    told = run(*command)
    assert told.count("concurrency") == 2
    assert "…" not in told
