"""Channels as recordings of their own: every second of each is in the ledger, whatever run lists them."""

import json
import re

import numpy as np
import pytest

from curation.audio.wave import SAMPLE_RATE
from tests.support.builds import rows, seconds_by_recording, toy_build, toy_config
from tests.support.dummies import noise, speech, write_wav

TURN = np.arange(12 * SAMPLE_RATE) // (2 * SAMPLE_RATE) % 2
WAVE = speech(12.0)
CALL = np.stack([WAVE * (TURN == 0), np.roll(WAVE, 9000) * (TURN == 1)], axis=1)


@pytest.fixture
def folder(tmp_path):
    """A call, stereo that is none, and a file that is broken."""
    (tmp_path / "in").mkdir()
    write_wav(tmp_path / "in/call.wav", CALL)
    write_wav(tmp_path / "in/music.wav", np.stack([noise(3.0) * 0.1] * 2, axis=1))
    (tmp_path / "in/bad.wav").write_bytes(b"RIFF")
    return tmp_path / "in"


def seconds(out):
    """By the id without its digest."""
    return {re.sub("-[0-9a-f]{32}", "", key): value for key, value in seconds_by_recording(out).items()}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("mix", {"call": 12.0, "music": 3.0, "bad": 0.0}),
        ("auto", {"call-channel0": 12.0, "call-channel1": 12.0, "music": 3.0, "bad": 0.0}),
        (
            "split",
            {"call-channel0": 12.0, "call-channel1": 12.0, "music-channel0": 3.0, "music-channel1": 3.0, "bad": 0.0},
        ),
    ],
)
def test_every_second_of_every_channel_is_in_the_ledger(folder, tmp_path, mode, expected):
    config = toy_config()
    decode = config.decode.model_copy(update={"channels": mode})
    config = config.model_copy(update={"decode": decode})
    summary = toy_build(folder, tmp_path / "out", config)
    assert seconds(tmp_path / "out") == pytest.approx(expected)
    assert (summary.recordings, summary.seconds) == (len(expected), pytest.approx(sum(expected.values())))
    again = toy_build(folder, tmp_path / "out", config)
    assert (again.recordings, again.seconds) == (summary.recordings, summary.seconds)


def test_a_manifest_names_channels(folder, tmp_path):
    lines = [json.dumps({"path": str(folder / "call.wav"), "channel": n, "speaker": f"s{n}"}) for n in (0, 1)]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    toy_build(tmp_path / "m.jsonl", tmp_path / "out")
    assert seconds(tmp_path / "out") == pytest.approx({"call-channel0": 12.0, "call-channel1": 12.0})
    published = {(row["source_channel"], row["manifest_speaker"]) for row in rows(tmp_path / "out", "shards")}
    assert published <= {(0, "s0"), (1, "s1")}
