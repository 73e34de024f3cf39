"""The commands, end to end on a checkpoint with random weights."""

import json

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from curation.audio.wave import SAMPLE_RATE
from curation.cli import app
from curation.core.errors import ConfigError
from curation.train.infer.files import jobs
from curation.train.infer.speech_model import SpeechModel
from tests.support.commands import curation, message
from tests.support.real_speech import librivox

pytestmark = pytest.mark.usefixtures("short_speech")


def run(*arguments):
    return curation(*arguments).stdout


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
    result = curation("transcribe", checkpoint, tmp_path, "--json", code=1)
    assert "1 of 2 files could not be read" in message(result)
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
    rows = [{"id": "x", "text": "Yes.", "voice": "a.wav"}, {"text": "Room 7.", "voice": "b.ogg"}]
    manifest = clips / "jobs.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    told = run("speak", checkpoint, "--manifest", manifest, "-o", tmp_path, "--seed", 3).split()
    assert told == [str(tmp_path / "x.wav"), str(tmp_path / "00002.wav")]
    alone = tmp_path / "alone.wav"
    run("speak", checkpoint, "Room seven.", "--language", "xx", "--voice", clips / "b.ogg", "-o", alone, "--seed", 3)
    np.testing.assert_allclose(soundfile.read(told[1])[0], soundfile.read(alone)[0], atol=1e-4)


def test_what_the_voice_says_comes_from_the_manifest_or_the_command(checkpoint, clips, tmp_path):
    rows = [{"voice": "a.wav", "voice_text": "One."}, {}, {"voice": "a.wav"}]
    manifest = clips / "said.jsonl"
    manifest.write_text("\n".join(json.dumps({"text": "Yes.", **row}) for row in rows))
    told = ["--voice", clips / "a.wav", "--voice-text", "One.", "--temperature", 0]
    run("speak", checkpoint, "--manifest", manifest, "-o", tmp_path, *told)
    run("speak", checkpoint, "Yes.", "-o", tmp_path / "streamed.wav", *told, "--stream")
    own, default, without, streamed = (
        soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("00001", "00002", "00003", "streamed")
    )
    np.testing.assert_array_equal(own, default)
    np.testing.assert_allclose(streamed, own, atol=1e-4)
    assert len(without) != len(own) or not np.allclose(without, own, atol=1e-2)


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_a_text_is_read_in_its_language_or_in_that_of_the_command(checkpoint, clips, tmp_path, stream):
    rows = [{"id": name, "text": "Room 7.", "language": name} for name in ("en", "de")] + [
        {"id": "x", "text": "Room 7."}
    ]
    manifest = tmp_path / "jobs.jsonl"
    manifest.write_text("\n".join(map(json.dumps, rows)))
    voice = ["--voice", clips / "b.ogg", "--temperature", 0]
    run("speak", checkpoint, "--manifest", manifest, "-o", tmp_path, "--language", "de", *voice, *stream, "--batch", 1)
    english, german, other = (soundfile.read(tmp_path / f"{row['id']}.wav")[0] for row in rows)
    np.testing.assert_array_equal(german, other)
    assert not np.array_equal(english, german)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["Hello.", "-o", "x.wav"], "give --voice"),
        (["-o", "x.wav", "--voice", "v.wav"], "either TEXT or --manifest"),
        (["Hello.", "-o", "x.wav", "--voice", "/nowhere.wav"], "no such file"),
        (["Hello.", "-o", "x.wav", "--voice", "/nowhere.wav", "--top-p", "2"], "top_p within 0..1"),
        (["-o", "x", "--manifest", "/nowhere.jsonl"], "does not exist"),
    ],
)
def test_mistakes_are_explained(checkpoint, arguments, reason):
    assert reason in message(curation("speak", checkpoint, *arguments, code=2))


@pytest.mark.parametrize(
    "line",
    [
        *("no json", "[1]", '{"voice": "a.wav"}', '{"text": "a", "voice": "v", "id": "../x"}', "[" * 100_000),
        *('{"text": ["a"], "voice": "v"}', '{"text": "a", "voice": 5}', '{"text": "a", "voice": "v", "language": 1}'),
    ],
)
def test_lines_of_a_manifest_that_say_nothing_are_named(checkpoint, tmp_path, line):
    (tmp_path / "jobs.jsonl").write_text(line)
    done = curation("speak", checkpoint, "--manifest", tmp_path / "jobs.jsonl", "-o", tmp_path, code=2)
    assert "line 1" in message(done)


def test_lines_of_a_manifest_end_where_json_lines_do(tmp_path):
    (tmp_path / "jobs.jsonl").write_text('{"text": "One\u2028two\u0085three.", "voice": "v.wav"}\r\n')
    (job,) = jobs("text", None, "", tmp_path, tmp_path / "jobs.jsonl")
    assert job.what == "One\u2028two\u0085three."
    (tmp_path / "jobs.jsonl").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"jobs.jsonl: cannot be read .* give JSON lines in UTF-8"):
        jobs("text", None, "", tmp_path, tmp_path / "jobs.jsonl")


@pytest.mark.parametrize("stream", [[], ["--stream"]])
def test_an_unfit_output_is_named_before_the_model_is_opened(clips, tmp_path, stream):
    for command, what in (("speak", "Yes."), ("convert", clips / "b.ogg")):
        arguments = [command, tmp_path / "none", what, "--voice", clips / "a.wav", "-o", tmp_path / "x.txt"]
        assert "cannot write .txt" in message(curation(*arguments, *stream, code=2))


def test_a_folder_without_a_model_is_named(clips, tmp_path):
    arguments = ["speak", tmp_path, "Yes.", "--voice", clips / "a.wav", "-o", tmp_path / "x.wav"]
    assert f"{tmp_path}: no language model" in message(curation(*arguments, code=2))


def test_text_comes_from_standard_input(checkpoint, clips, tmp_path):
    voice = ["--voice", clips / "a.wav", "--temperature", 0]
    run("speak", checkpoint, "Yes.", *voice, "-o", tmp_path / "a.wav")
    CliRunner().invoke(
        app, [str(part) for part in ["speak", checkpoint, "-", *voice, "-o", tmp_path / "b.wav"]], "Yes."
    )
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_without_json_a_line_has_path_and_text(checkpoint, clips, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF no audio")
    lines = curation("transcribe", checkpoint, clips / "a.wav", tmp_path / "broken.wav", code=1).stdout.splitlines()
    row = json.loads(run("transcribe", checkpoint, clips / "a.wav", "--json"))
    assert lines[0] == f"{clips / 'a.wav'}\t{row['text']}"
    assert lines[1].startswith(f"{tmp_path / 'broken.wav'}\terror: ")


@pytest.mark.parametrize(("dtype", "engine"), [("", ""), ("int8", ""), ("", "http://there:8000")])
@pytest.mark.parametrize("command", ["transcribe", "speak", "convert", "evaluate", "serve", "bench serve"])
def test_every_command_that_opens_a_model_opens_it_in_8_bits_or_elsewhere_where_that_is_asked_for(
    command, dtype, engine, clips, tmp_path, monkeypatch
):
    def opened(folder, **how):
        raise ConfigError(f"opened {folder} as {how['dtype']!r} at {how['engine']!r}")  # noqa: EM102

    monkeypatch.setattr(SpeechModel, "open", opened)
    (tmp_path / "set.jsonl").write_text(json.dumps({"path": str(clips / "a.wav"), "transcript": "a"}))
    said = ["--voice", clips / "b.ogg", "-o", tmp_path / "x.wav"]
    arguments = {
        "transcribe": ["model", clips / "a.wav"],
        "speak": ["model", "A.", *said],
        "convert": ["model", clips / "a.wav", *said],
        "evaluate": [tmp_path / "set.jsonl", "--checkpoint", "model", "--tasks", "asr", "--language", "en"],
        "serve": ["model"],
        "bench serve": ["model"],
    }
    how = [f"--{dtype}"] * bool(dtype) + ["--engine", engine] * bool(engine)
    done = curation(*command.split(), *arguments[command], *how, code=2)
    assert f"opened model as {dtype!r} at {engine!r}" in message(done)
