"""Which files hold audio."""

import io

import numpy as np
import pytest
import soundfile

from curation.audio.formats import HEADERLESS, MEDIA_SUFFIXES, OTHER_SUFFIXES, holds_audio, suffix


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF", "AU", "W64", "CAF", "MP3", "NIST", "RF64"])
def test_audio_is_found_whatever_the_file_is_called(kind):
    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.sin(np.arange(8000) / 5), 8000, format=kind)
    file.seek(0)
    assert holds_audio(file)


@pytest.mark.parametrize("content", [b"", b"hello " * 2000, b"\0" * 50_000, bytes(range(256)) * 200, b"{}\n" * 999])
def test_other_files_have_none(content):
    assert not holds_audio(io.BytesIO(content))


def test_a_file_that_cannot_be_read_is_not_said_to_have_none():
    class Broken(io.BytesIO):
        def read(self, *_):
            msg = "the network is down"
            raise OSError(msg)

    with pytest.raises(OSError, match="the network is down"):
        holds_audio(Broken(b"x" * 1000))


def test_samples_without_a_header_are_not_taken(tmp_path):
    """FFmpeg takes such a file by its suffix, and guesses 44.1 kHz."""
    (tmp_path / "x.ul").write_bytes(bytes(range(256)) * 200)
    with (tmp_path / "x.ul").open("rb") as file:
        assert not holds_audio(file)
    assert {"mulaw", "alaw", "s16le", "u8", "f32be"} <= HEADERLESS


def test_suffixes():
    assert suffix("s3://b/a.x/TALK.Wav") == ".wav"
    assert {".wav", ".m4b", ".mp2", ".avi", ".mpg", ".sph", ".w64", ".wv", ".gsm"} <= MEDIA_SUFFIXES
    assert not MEDIA_SUFFIXES & OTHER_SUFFIXES
