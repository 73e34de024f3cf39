"""Addresses that lead to no Ray cluster are errors that say so; what C++ code writes is not seen."""

import os
import socket

import pytest

from curation.core.errors import ConfigError
from curation.pipeline.runtime.joining import joined, silenced
from tests.support.builds import toy_build, toy_config, write_recordings


@pytest.fixture
def closed():
    """A port at which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_where_nothing_answers_it_is_an_error_at_once(closed, tmp_path):
    """Ray asked for minutes, and then gave a traceback."""
    recordings = write_recordings(tmp_path / "in", ["a"])
    address = f"127.0.0.1:{closed}"
    with pytest.raises(ConfigError, match=rf"engine\.address .* {address}: .*refused"):
        toy_build(recordings, tmp_path / "out", toy_config("ray", address=address))


@pytest.mark.parametrize("address", ["nonsense", "nonsense:x", "127.0.0.1:99999999", "[::1]:x"])
def test_what_is_no_address_is_an_error(address, tmp_path):
    recordings = write_recordings(tmp_path / "in", ["a"])
    with pytest.raises(ConfigError, match="no Ray cluster can be joined at"):
        toy_build(recordings, tmp_path / "out", toy_config("ray", address=f"'{address}'"))


def test_an_address_that_answers_is_left_to_ray():
    with socket.create_server(("127.0.0.1", 0)) as server, joined(f"127.0.0.1:{server.getsockname()[1]}"):
        pass
    with joined("auto"):
        pass


def test_standard_error_is_back_after_the_start(capfd):
    with silenced():
        os.write(2, b"lost")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"
